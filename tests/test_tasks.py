from __future__ import annotations

import logging
import os
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, current_app
from celery.signals import celeryd_after_setup, worker_shutting_down
from django.utils import timezone

from memwatch import tasks
from memwatch.agent import own
from memwatch.models import Lease, Snapshot
from memwatch.schedule import beat_schedule
from memwatch.services.ingest import reader
from memwatch.timetable import steps
from memwatch.transport import open_uplink
from tests.reports import report, snapshot

NAMES = {
    f"memwatch.{name}"
    for name in (
        "take_snapshots",
        "ingest_reports",
        "detect_leaks",
        "check_alerts",
        "recycle_workers",
        "find_anomalies",
        "analyse_heap_dumps",
        "send_notifications",
        "end_stale_processes",
        "prune",
    )
}


@pytest.fixture
def transport_url(tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"local://{tmp_path}/transport"
    monkeypatch.setenv("MEMWATCH_TRANSPORT", url)
    settings.MEMWATCH = {}
    return url


@pytest.mark.django_db
def test_every_task_of_the_timetable_runs_on_an_empty_site(transport_url: str) -> None:
    for entry in beat_schedule().values():
        current_app.tasks[entry["task"]].apply(throw=True)


@pytest.mark.django_db
def test_what_was_sent_is_stored_by_the_task(transport_url: str) -> None:
    uplink = open_uplink(transport_url, "sender")
    uplink.send(report(snapshots={0: snapshot()}).encode())
    tasks.take_snapshots.apply(throw=True)
    assert Snapshot.objects.count() == 1
    uplink.close()


@pytest.mark.django_db
def test_a_task_that_another_worker_runs_is_left_to_it(transport_url: str) -> None:
    uplink = open_uplink(transport_url, "sender")
    uplink.send(report(snapshots={0: snapshot()}).encode())
    Lease.objects.create(
        name="ingest_reports", holder="another", expires_at=timezone.now() + timezone.timedelta(seconds=60)
    )
    tasks.ingest_reports.apply(throw=True)
    assert Snapshot.objects.count() == 0
    uplink.close()


@pytest.mark.django_db
def test_a_task_that_fails_says_so_in_one_line_and_fails(
    transport_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(**_arguments: Any) -> None:
        raise RuntimeError("the spool is gone")

    monkeypatch.setattr(reader, "ingest_reports", away)
    with caplog.at_level(logging.ERROR, "memwatch"), pytest.raises(RuntimeError):
        tasks.ingest_reports.apply(throw=True)
    (record,) = (item for item in caplog.records if item.name == "memwatch")
    assert record.getMessage() == "memwatch: ingest_reports failed: RuntimeError: the spool is gone"
    assert record.exc_info is None
    assert Lease.objects.get(name="ingest_reports").holder == ""


@pytest.mark.django_db
def test_a_worker_that_is_asked_to_stop_begins_no_further_batch(transport_url: str) -> None:
    """The main process is asked; the pool's children, forked before, do the work."""
    asked, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(asked, 1)
        os._exit(7 if steps.is_leaving() else 0)
    uplink = open_uplink(transport_url, "sender")
    uplink.send(report(snapshots={0: snapshot()}).encode())
    try:
        worker_shutting_down.send(sender="worker@host", sig="SIGTERM", how="Warm", exitcode=0)
        os.write(told, b".")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        tasks.ingest_reports.apply(throw=True)
        assert Snapshot.objects.count() == 0
    finally:
        steps.leave(False)
        uplink.close()


def test_the_timetable_follows_the_interval() -> None:
    def seconds(interval: float) -> dict[str, float]:
        found = beat_schedule({"SNAPSHOT_INTERVAL": interval})
        assert set(found) == NAMES
        return {name.removeprefix("memwatch."): entry["schedule"] for name, entry in found.items()}

    usual = seconds(60)
    assert (usual["take_snapshots"], usual["ingest_reports"], usual["detect_leaks"], usual["prune"]) == (
        60,
        5,
        60,
        3600,
    )
    demo = seconds(2)
    assert (demo["take_snapshots"], demo["ingest_reports"], demo["detect_leaks"], demo["check_alerts"]) == (
        2,
        2,
        5,
        5,
    )
    assert (seconds(5)["detect_leaks"], seconds(0.2)["detect_leaks"]) == (10, 5)
    assert (usual["send_notifications"], demo["send_notifications"]) == (15, 5)


def test_a_wrong_setting_leaves_the_timetable_whole_so_that_the_check_can_say_it() -> None:
    assert beat_schedule({"SNAPSHOT_INTERVAL": "a minute"}) == beat_schedule({})


def test_tasks_wait_on_their_own_queue_and_not_for_long() -> None:
    for entry in beat_schedule({"TASK_QUEUE": "watching"}).values():
        assert entry["options"] == {"queue": "watching", "expires": entry["schedule"]}
        assert current_app.tasks[entry["task"]].ignore_result


def test_the_deployment_hands_the_timetable_to_beat() -> None:
    from project.celery import app

    assert set(app.conf.beat_schedule) >= NAMES


@pytest.mark.parametrize("queue", ["memwatch", "celery"])
def test_only_a_worker_of_memwatchs_queue_keeps_the_columns_before_its_pool_forks(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for field in Lease._meta.concrete_fields:
        field.__dict__.pop("cached_col", None)
    worker = SimpleNamespace(app=Celery(set_as_current=False))
    worker.app.amqp.queues.select(queue)
    monkeypatch.setattr(own, "declare", lambda: None)  # this process is none of memwatch's
    celeryd_after_setup.send(None, instance=worker, conf=None)
    kept = ["cached_col" in field.__dict__ for field in Lease._meta.concrete_fields]
    assert kept == [queue == "memwatch"] * len(kept)
