"""The container and what workers share, on the pages where an operator looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from memwatch.detection.surroundings.container import container_subject
from memwatch.models import Alert, Process
from memwatch.records.surroundings import Neighbour, Pressure, Surroundings
from tests.admin.conftest import Fleet

Login = Callable[..., Client]
EVIL = "<script>x</script>"
SAID = "1.1 GB is in processes that memwatch does not watch: ffmpeg 900 MB, tesseract 200 MB."


@pytest.fixture
def reporter(fleet: Fleet) -> Process:
    """One that reports its container, which is nearly full of other programs."""
    process = fleet.process(pid=7, start_method="fork", frozen_objects=312_000)
    fleet.snapshot(process)
    figures = Surroundings(
        looked_at=fleet.now, used_mb=1950.0, limit_mb=2048.0, anon_mb=1700.0, file_mb=150.0, inactive_file_mb=50.0,
        kernel_mb=60.0, pressure=Pressure(0.0, 1.5, 0.0, 0.2), watched=2, watched_mb=700.0, watched_pids=(7, 8),
        unwatched=23, unwatched_mb=1100.0,
        largest=(
            Neighbour(20, "ffmpeg", 950.0, 900.0), Neighbour(21, "tesseract", 200.0), Neighbour(22, EVIL, 1.0, 0.5)
        ),
    )  # fmt: skip
    process.surroundings = {**figures.to_dict(), "received_at": fleet.now.isoformat()}
    process.save()
    return process


def shown(client: Client, row: Any, model: str) -> str:
    answer = client.get(reverse(f"admin:memwatch_{model}_change", args=(row.pk,)))
    assert answer.status_code == 200
    text = answer.content.decode()
    assert EVIL not in text
    return text


def test_each_process_of_the_container_shows_what_fills_it(fleet: Fleet, reporter: Process, login: Login) -> None:
    client = login("viewer")
    neighbour, stranger = fleet.process(slot=2, pid=8), fleet.process(slot=3, pid=9)
    for process in (reporter, neighbour):
        page = shown(client, process, "process")
        assert SAID in page
        assert "900.0 MB" in page
        assert "The largest; 20 more are smaller." in page
        assert "1.5 %" in page
    assert SAID not in shown(client, stranger, "process")


def test_a_process_says_how_it_was_started_and_what_it_froze(reporter: Process, login: Login) -> None:
    page = shown(login("viewer"), reporter, "process")
    assert "312,000" in page
    assert "<dd>fork</dd>" in page


def test_the_alert_of_a_container_shows_the_same_while_it_is_raised(
    fleet: Fleet, reporter: Process, login: Login
) -> None:
    client = login("viewer")
    alert = Alert.objects.create(
        type="container_critical", severity="critical", service=reporter.service, message="full",
        subject=container_subject(reporter.host, 2048.0),
    )  # fmt: skip
    assert SAID in shown(client, alert, "alert")
    Alert.objects.update(cleared_at=fleet.now)
    assert SAID not in shown(client, alert, "alert")
    odd = Alert.objects.create(
        type="container_warning", severity="medium", service=reporter.service, message="full", subject="container"
    )
    assert SAID not in shown(client, odd, "alert")


def test_the_overview_names_a_full_container_and_what_fills_it(reporter: Process, login: Login) -> None:
    client = login("viewer")
    text = client.get(reverse("admin:memwatch_overview_changelist")).content.decode()
    assert f"on node-a is 92.8 % full. {SAID}" in text
    reporter.surroundings = {**(reporter.surroundings or {}), "used_mb": 900.0}
    reporter.save()
    assert "full." not in client.get(reverse("admin:memwatch_overview_changelist")).content.decode()


def test_a_service_says_what_its_workers_share(fleet: Fleet, login: Login) -> None:
    for slot in (1, 2):
        process = fleet.process("shop", slot=slot, start_method="fork", frozen_objects=0)
        fleet.snapshot(process, minutes_ago=50, uss_mb=10.0, pss_mb=60.0, heap_used_mb=90.0)
        fleet.snapshot(process, minutes_ago=2, uss_mb=110.0, pss_mb=115.0, heap_used_mb=90.0)
        fleet.snapshot(process)
    page = shown(login("viewer"), process.service, "service")
    assert "Sharing saves 50 MB over 2 processes." in page
    assert "a process has copied 100 MB of what it shared. gc.freeze() before the fork" in page
    assert "on in 0 of 2" in page
