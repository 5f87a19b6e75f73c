"""Real workers that are replaced every few seconds: what all of them leak is found as a leak of their service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.utils import timezone

from memwatch.models import Leak, Process
from memwatch.services.ingest import processes, reader
from memwatch.services.leaks import judging
from tests.deployment.conftest import MakeGuest
from tests.deployment.guest import Guest
from tests.waiting import until

pytestmark = [pytest.mark.deployment, pytest.mark.django_db(transaction=True)]

INTERVAL_S = 0.5
FOUND_WITHIN_S = 180.0
"""Three lives in each of two slots take 30 s on an idle machine."""


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.MEMWATCH = {"SNAPSHOT_INTERVAL": INTERVAL_S}


@contextmanager
def requests(guest: Guest) -> Iterator[None]:
    """One page after the other, as long as the block lasts."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.05):
            guest.get("keep?objects=40")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def tasks(guest: Guest) -> Iterator[None]:
    """Two chains of tasks, each of which starts the next."""
    for _ in range(2):
        guest.run("celery", "-A", "guest.celery", "call", "guest.keep", "--args", "[200]")
    yield


def wait_for_leak(guest: Guest) -> Leak:
    """Store what arrives and judge it, until the service has a leak."""

    def judged() -> Leak | None:
        reader.ingest_reports(hub=guest.hub)
        processes.end_stale()
        judging.detect(timezone.now())
        return Leak.objects.filter(process=None).first()

    def seen() -> object:
        lives = [(str(process), process.snapshots.count(), process.ended_at) for process in Process.objects.all()]
        return lives, guest.log[-2000:]

    leak = until(judged, within_s=FOUND_WITHIN_S, every_s=1, seen=seen)
    assert leak is not None
    return leak


def test_gunicorn_with_max_requests(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url, MEMWATCH_SNAPSHOT_INTERVAL=str(INTERVAL_S))
    guest.start("gunicorn", "guest.wsgi", "--bind", "127.0.0.1:{port}", "--workers", "2", "--max-requests", "60")
    with requests(guest):
        leak = wait_for_leak(guest)
    assert (leak.service.name, leak.object_type, leak.state) == ("web", "guest.urls.Kept", "open")
    assert leak.evidence["statistics"]["lives"] >= 6


def test_celery_with_max_tasks_per_child(local_url: str, make_guest: MakeGuest) -> None:
    guest = make_guest(local_url, MEMWATCH_SNAPSHOT_INTERVAL=str(INTERVAL_S))
    guest.start(
        "celery", "-A", "guest.celery", "worker", "--loglevel", "WARNING", "--concurrency", "2",
        "--max-tasks-per-child", "10",
    )  # fmt: skip
    with tasks(guest):
        leak = wait_for_leak(guest)
    assert (leak.service.name, leak.object_type, leak.state) == ("worker", "guest.celery.Kept", "open")
    assert leak.evidence["statistics"]["lives"] >= 6
