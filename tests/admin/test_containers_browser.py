"""The container and sharing in Chromium: they fit on the page and shut nobody out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from playwright.sync_api import expect

from memwatch.detection.surroundings.container import container_subject
from memwatch.models import Alert, Leak, Process
from memwatch.records.surroundings import Neighbour, Pressure, Surroundings
from tests.admin.conftest import EVIL, Fleet
from tests.admin.visitor import Visitor, browser, program, shop, visit

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pages(shop: Leak) -> Mapping[str, str]:
    """Addresses of the pages that show a container nearly full of other programs, and workers that share."""
    process = shop.process
    assert process is not None
    fleet = Fleet()
    programs = [("ffmpeg", 950.0, 900.0), ("tesseract", 210.0, 200.0), (EVIL, 9.0, None), ("x" * 40, 1.0, 1.0)]
    figures = Surroundings(
        looked_at=fleet.now, used_mb=1950.0, limit_mb=2048.0, peak_mb=2040.0, anon_mb=1700.0, file_mb=150.0,
        mapped_mb=40.0, inactive_file_mb=50.0, shmem_mb=2.0, kernel_mb=60.0, slab_mb=30.0, sock_mb=0.5,
        pressure=Pressure(0.0, 1.5, 0.0, 0.2), watched=2, watched_mb=700.0, watched_pids=(process.pid,),
        unwatched=23, unwatched_mb=1100.0, largest=tuple(Neighbour(n, *each) for n, each in enumerate(programs)),
    )  # fmt: skip
    said = {**figures.to_dict(), "received_at": fleet.now.isoformat()}
    Process.objects.update(surroundings=said, start_method="fork", frozen_objects=0)
    alert = Alert.objects.create(
        type="container_critical", severity="critical", service=process.service,
        subject=container_subject(process.host, 2048.0), value=92.8, threshold=90.0,
        message="shop-1 on node-a: container at 92.8 % of 2048 MB, critical threshold 90 %; the largest process is "
        "shop-1. Restart it or raise the limit before the kernel kills one. 1.1 GB is in processes that memwatch does "
        "not watch: ffmpeg 900 MB, tesseract 200 MB.",
    )  # fmt: skip
    other = fleet.process("shop", slot=2, start_method="fork", frozen_objects=0)
    for each in (process, other):
        fleet.snapshot(each, minutes_ago=50, uss_mb=10.0, pss_mb=60.0, heap_used_mb=90.0)
        fleet.snapshot(each, minutes_ago=0, uss_mb=110.0, pss_mb=115.0, heap_used_mb=90.0, rss_mb=140.0)
    admin = "/admin/memwatch"
    return {
        "process": f"{admin}/process/{process.pk}/change/",
        "alert": f"{admin}/alert/{alert.pk}/change/",
        "service": f"{admin}/service/{process.service_id}/change/",
        "overview": f"{admin}/overview/",
    }


@pytest.mark.parametrize("visit", [("light", 1400), ("dark", 400)], indirect=True)
def test_what_fills_a_container_and_what_is_shared_can_be_read(visit: Visitor, pages: Mapping[str, str]) -> None:
    visit.log_in("viewer")
    said = "1.1 GB is in processes that memwatch does not watch: ffmpeg 900 MB, tesseract 200 MB."
    for name, shown in (("process", said), ("alert", said), ("service", "Sharing saves"), ("overview", said)):
        page = visit.go(pages[name])
        expect(page.get_by_text(shown).first).to_be_visible()
        visit.look()
