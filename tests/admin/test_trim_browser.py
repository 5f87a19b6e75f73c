"""An allocator check in Chromium: it fits on the page and shuts nobody out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from memwatch.models import Leak
from tests.admin.conftest import EVIL, Fleet
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.services.recorded import TRIM, store_recording

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 400)], indirect=True)
def test_from_a_process_through_a_check_to_what_a_setting_changed(visit: Visitor, shop: Leak) -> None:
    process = shop.process
    assert process is not None
    fleet = Fleet()
    old = fleet.process(
        process.service.name, slot=7, started_at=fleet.now - timedelta(hours=9), program=process.program,
        ended_at=fleet.now - timedelta(hours=2), allocator_settings={},
    )  # fmt: skip
    fleet.snapshot(old, minutes_ago=8 * 60, rss_mb=760.0)
    process.allocator_settings = {"MALLOC_ARENA_MAX": "2", "LD_PRELOAD": "libjemalloc.so.2"}
    process.started_at = fleet.now - timedelta(hours=1, minutes=5)
    process.save()
    called = fleet.now - timedelta(minutes=6)
    for minutes, mb in ((5, 850.0), (4, 900.0), (3, 940.0), (2, 960.0)):
        fleet.snapshot(process, minutes_ago=minutes, rss_mb=mb)
    fleet.snapshot(
        process, minutes_ago=1, rss_mb=950.0, heap_used_mb=300.0, heap_committed_mb=900.0, fragmentation_percent=66.7
    )
    made = {"finished_at": called, "requested_at": called, "process": process, "kind": "trim"}
    checked = store_recording(**made, result={**TRIM, "at": called.timestamp()})
    foreign = store_recording(**made, result={**TRIM, "trimmed": False, "reason": EVIL, "settings": {EVIL: EVIL}})
    visit.log_in("operator")
    page = visit.go(process.get_absolute_url())
    expect(page.get_by_text("That is not a leak: they keep it for later")).to_be_visible()
    expect(page.get_by_text("With LD_PRELOAD=libjemalloc.so.2, MALLOC_ARENA_MAX=2 since")).to_be_visible()
    visit.look()
    page.locator("#mw-allocator ~ .mw-record button[data-act=record-trim]").click()
    expect(page.locator(".mw-verdict")).to_contain_text("up to 1.4 s for 2 GB")
    visit.look()
    page = visit.go(checked.get_absolute_url())
    expect(page.get_by_text("MALLOC_ARENA_MAX=2").first).to_be_visible()
    expect(page.locator("#mw-chart-regrowth")).to_be_visible()
    visit.look()
    for address in (
        foreign.get_absolute_url(),
        reverse("admin:memwatch_recording_difference", args=(foreign.pk,)) + f"?other={checked.pk}",
    ):
        visit.go(address)
        visit.look()
