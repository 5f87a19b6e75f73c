"""Anomalies are found from stored figures, kept once, dismissed with a lesson, and shown on every face."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.metrics.fleet import observe
from memwatch.models import (
    Anomaly,
    AnomalyMemory,
    EventCursor,
    Forecast,
    Process,
    Recording,
    Release,
    ServiceHour,
    SnapshotRollup,
    Trigger,
)
from memwatch.queries.judging.forecast_input import courses
from memwatch.services import ActionRefused
from memwatch.services.anomalies import actions, finding, forecasts
from memwatch.services.recordings import triggers
from memwatch.services.retention import prune
from memwatch.services.rollups import roll_up
from memwatch.timetable import steps
from tests.services.stored import MINUTE, end_process, store_process, store_snapshots

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
LARGE = {"rss_kib": 400 * 1024, "heap_used_kib": 300 * 1024}
MANY = 2_000.0
Snapshots = dict[str, Any]


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def fleet(now: datetime, count: int = 5, **values: Any) -> list[Process]:
    return [store_process(slot=slot, started=now - 6 * HOUR, **values) for slot in range(1, count + 1)]


def passes(
    processes: list[Process], begin: datetime, hours: float, unusual: Process | None = None, large: Snapshots = LARGE
) -> int:
    """What each pass sees: two snapshots of every process. How many anomalies began."""
    begun = 0
    for number in range(1, int(hours * 6) + 1):
        at = begin + number * 10 * MINUTE
        for process in processes:
            given = large if process == unusual else {}
            store_snapshots(process, at - 6 * MINUTE, at - MINUTE, lambda _m, g=given: g, every=5 * MINUTE)
        begun += finding.find_among_siblings(at)
    return begun


@pytest.fixture
def unusual(now: datetime) -> Anomaly:
    """Of web-1, which has twice the memory of its four siblings."""
    processes = fleet(now)
    assert passes(processes, now - 3 * HOUR, 3, processes[0]) == 1
    return Anomaly.objects.get()


def test_it_is_found_once_and_says_where_since_when_and_how(unusual: Anomaly, now: datetime) -> None:
    assert unusual.process is not None
    assert (unusual.process.slot, unusual.kind, unusual.state) == ("web-1", "siblings", "open")
    assert unusual.says.startswith("Higher than its siblings: ")
    assert "resident memory 400 MB instead of 80 MB (+400 %)" in unusual.says
    assert now - 3 * HOUR <= unusual.since <= now - 2 * HOUR
    assert unusual.sibling is not None
    assert unusual.sibling.slot != "web-1"
    assert AnomalyMemory.objects.count() == 1


def test_a_pass_that_is_run_again_finds_nothing_twice(unusual: Anomaly, now: datetime) -> None:
    assert finding.find_among_siblings(now) == 0
    assert Anomaly.objects.count() == 1


def test_it_ends_with_its_process(unusual: Anomaly, now: datetime) -> None:
    assert unusual.process is not None
    end_process(unusual.process, now)
    finding.find_among_siblings(now + 10 * MINUTE)
    unusual.refresh_from_db()
    assert (unusual.state, unusual.ended_at) == ("ended", now + 10 * MINUTE)


def test_it_ends_when_it_is_usual_again(unusual: Anomaly, now: datetime) -> None:
    passes(list(Process.objects.all()), now, 5)
    unusual.refresh_from_db()
    assert unusual.state == "ended"
    assert not AnomalyMemory.objects.exists()


def test_what_is_dismissed_stays_so_and_teaches(unusual: Anomaly, now: datetime) -> None:
    user = User.objects.create(username="ada")
    actions.dismiss(unusual, by=user, comment="it serves the reports")
    with pytest.raises(ActionRefused, match="dismissed already"):
        actions.dismiss(unusual, by=user)
    assert LogEntry.objects.filter(user=user, change_message="Dismissed: it serves the reports.").count() == 1
    processes = list(Process.objects.order_by("pk"))
    assert passes(processes, now, 1, processes[0]) == 0
    assert passes(processes, now + HOUR, 4, processes[1]) == 0
    assert Anomaly.objects.count() == 1
    unusual.refresh_from_db()
    assert (unusual.state, unusual.ended_at is not None) == ("dismissed", True)


def test_what_is_dismissed_comes_back_when_it_becomes_much_more(unusual: Anomaly, now: datetime) -> None:
    actions.dismiss(unusual, by=None)
    processes = list(Process.objects.order_by("pk"))
    assert passes(processes, now, 1, processes[0], {name: 3 * value for name, value in LARGE.items()}) == 1
    row = Anomaly.objects.unfinished().get()
    assert (row.state, row.process) == ("open", processes[0])
    unusual.refresh_from_db()
    assert (unusual.state, unusual.ended_at is not None) == ("dismissed", True)


def test_a_dismissal_teaches_for_half_a_year_whatever_is_deleted(
    unusual: Anomaly, now: datetime, settings: Any
) -> None:
    settings.MEMWATCH = {**getattr(settings, "MEMWATCH", {}), "RETENTION_FINDINGS_DAYS": 30}
    assert unusual.process is not None
    actions.dismiss(unusual, by=None)
    end_process(unusual.process, now)
    finding.find_among_siblings(now + 10 * MINUTE)
    prune(now + timedelta(days=100))
    assert Anomaly.objects.filter(pk=unusual.pk).exists()
    prune(now + timedelta(days=200))
    assert not Anomaly.objects.exists()


def test_it_names_what_changed_at_the_time(now: datetime) -> None:
    processes = fleet(now, 4)
    old = store_process(slot=9, started=now - 30 * HOUR, python="3.11.7")
    end_process(old, now - 4 * HOUR)
    new = store_process(slot=9, started=now - 4 * HOUR, python="3.12.1")
    Release.objects.create(service=new.service, name="2.5", first_seen_at=now - 3 * HOUR - 5 * MINUTE)
    Process.objects.filter(pk=new.pk).update(started_at=now - 3.5 * HOUR, first_seen_at=now - 3.5 * HOUR)
    passes([*processes, new], now - 3 * HOUR, 3, new)
    said = [change["says"] for change in Anomaly.objects.get().changes]
    assert said == ["the process was started", "Python changed", "release 2.5 was first seen"]


def test_a_process_without_figures_or_siblings_is_no_obstacle(now: datetime) -> None:
    store_process("alone", started=now - 6 * HOUR)
    blank = dict.fromkeys(("rss_kib", "heap_used_kib", "heap_committed_kib", "total_objects", "allocated_blocks"))
    for process in fleet(now, 3):
        store_snapshots(process, now - 5 * MINUTE, now, lambda _m: blank)
    assert finding.find_among_siblings(now) == 0
    assert not AnomalyMemory.objects.exists()


def rolled_up(process: Process, start: datetime, rss_mb: float, samples: int = 60) -> SnapshotRollup:
    kib, heap = rss_mb * 1024, 0.7 * rss_mb * 1024
    figures = {
        "rss_kib": [kib, kib, kib], "heap_used_kib": [heap, heap, heap], "total_objects": [4_000 * rss_mb] * 3,
        "requests_handled": [0, 500, 1_000],
    }  # fmt: skip
    return SnapshotRollup(process=process, period="hour", start=start, samples=samples, figures=figures, floors={})


def test_a_service_is_held_against_its_own_week(now: datetime) -> None:
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=16)
    process = store_process(started=start - timedelta(days=2))
    hours = int((now - start) / HOUR)
    SnapshotRollup.objects.bulk_create(
        rolled_up(process, start + hour * HOUR, 200 + hour * 7919 % 13 / 3 + (150 if hour >= hours - 8 else 0))
        for hour in range(hours)
    )
    assert finding.find_in_hours(now) == 0
    assert not ServiceHour.objects.exists(), "their roll-ups may not be complete"
    roll_up(now)
    begun = sum(finding.find_in_hours(now) for _ in range(10))
    assert begun == 1
    row = Anomaly.objects.get()
    assert (row.kind, row.process, row.state) == ("week", None, "open")
    assert "instead of 20" in row.says
    assert ServiceHour.objects.count() == hours
    assert finding.find_in_hours(now) == 0
    assert Anomaly.objects.get().state == "open"
    finding.find_in_hours(now + 20 * HOUR)
    assert Anomaly.objects.get().state == "ended", "the service has stopped"
    prune(now + timedelta(days=40))
    assert not ServiceHour.objects.exists()


def test_forecasts_are_made_of_processes_and_containers_and_once_an_hour(now: datetime) -> None:
    process = store_process(started=now - timedelta(days=5))
    common = {"heap_limit_kib": 800 * 1024, "heap_limit_source": "cgroup", "rss_kib": 700 * 1024}
    group = {"cgroup_used_kib": 750 * 1024, "cgroup_limit_kib": 900 * 1024}
    store_snapshots(process, now - MINUTE, now, lambda _m: {**common, **group})
    end = now.replace(minute=0, second=0, microsecond=0)
    rows = [rolled_up(process, end - (96 - hour) * HOUR, 500 + 2 * hour + hour * 7919 % 13 / 3) for hour in range(96)]
    for row in rows:
        row.figures["cgroup_used_kib"] = [each + 50 * 1024 for each in row.figures["rss_kib"]]
    SnapshotRollup.objects.bulk_create(rows)
    assert forecasts.refresh(now) == 2
    assert sorted(Forecast.objects.values_list("kind", flat=True)) == ["container", "process"]
    row = Forecast.objects.get(kind="process")
    assert row.latest is not None
    assert row.earliest < end + 54 * HOUR < row.latest
    ids = set(Forecast.objects.values_list("pk", flat=True))
    assert forecasts.refresh(now + 1.5 * HOUR) == 2
    assert set(Forecast.objects.values_list("pk", flat=True)) == ids
    SnapshotRollup.objects.all().delete()
    assert forecasts.refresh(now + 2 * HOUR) == 2
    assert forecasts.refresh(now + 3 * HOUR) == 0
    SnapshotRollup.objects.bulk_create(rows)
    assert forecasts.refresh(now + 3.5 * HOUR) == 0
    assert forecasts.refresh(now + 4.5 * HOUR) == 2


def test_the_memory_of_a_host_is_that_of_all_its_processes_also_ended_ones(now: datetime) -> None:
    end = now.replace(minute=0, second=0, microsecond=0)
    begin = end - 96 * HOUR
    growing = store_process(slot=1, started=begin)
    ended = store_process(slot=2, started=begin)
    end_process(ended, begin + 48.5 * HOUR)
    Process.objects.filter(pk=ended.pk).update(last_seen_at=begin + 48.5 * HOUR)
    successor = store_process(slot=2, started=begin + 48.5 * HOUR)
    figures = {"heap_limit_kib": 1000 * 1024, "heap_limit_source": "host", "rss_kib": 350 * 1024}
    for process in (growing, successor):
        store_snapshots(process, now - MINUTE, now, lambda _m: figures)
    SnapshotRollup.objects.bulk_create(rolled_up(growing, begin + hour * HOUR, 250 + hour) for hour in range(96))
    SnapshotRollup.objects.bulk_create(
        rolled_up(process, begin + hour * HOUR, 350, 30 if hour == 48 else 60)
        for process, hours in ((ended, range(49)), (successor, range(48, 96)))
        for hour in hours
    )
    (course,) = courses(now)
    assert [course.used[hour] / 1024 for hour in sorted(course.used)] == [600 + hour for hour in range(96)]
    assert forecasts.refresh(now) == 1
    assert Forecast.objects.get().kind == "host"


def test_hours_without_settled_workers_are_passed_over(now: datetime) -> None:
    end = now.replace(minute=0, second=0, microsecond=0)
    young, old = store_process(slot=1, started=now), store_process(slot=2, started=end - 90 * HOUR)
    SnapshotRollup.objects.bulk_create(rolled_up(young, end - hour * HOUR, 200) for hour in range(3, 63))
    SnapshotRollup.objects.bulk_create(rolled_up(old, end - hour * HOUR, 200) for hour in range(1, 3))
    roll_up(now)
    for _ in range(2):
        finding.find_in_hours(now)
    assert ServiceHour.objects.count() == 2


def test_one_search_that_fails_does_not_stop_the_others(now: datetime) -> None:
    process = store_process(started=now - HOUR)
    AnomalyMemory.objects.create(process=process, service=process.service, memory={"no": "time"})
    with pytest.raises(KeyError):
        steps.find_anomalies()
    assert EventCursor.objects.filter(name=forecasts.LAST).exists()


def test_it_is_a_metric_while_it_is_open(unusual: Anomaly, now: datetime) -> None:
    seen = observe()
    first = ({"service": "web", "host": "a", "slot": "web-1"}, unusual.score)
    assert seen.anomaly_scores == [first]
    assert seen.anomalies_open == 1
    other = store_process(slot=1, host="b", started=now - HOUR)
    Anomaly.objects.create(
        kind="siblings", service=other.service, process=other, score=99.9, figures={}, says="", since=now
    )
    assert observe().anomaly_scores == [first, ({"service": "web", "host": "b", "slot": "web-1"}, 99.9)]
    Anomaly.objects.filter(process=other).delete()
    actions.dismiss(unusual, by=None)
    assert (observe().anomaly_scores, observe().anomalies_open) == ([], 0)


def test_a_trigger_records_the_unusual_worker_and_a_usual_sibling(unusual: Anomaly, now: datetime) -> None:
    Process.objects.update(lease_expires_at=now + HOUR, last_seen_at=now)
    made = Trigger.objects.create(
        name="unusual", when="anomaly", kind="heap_summary", per_service_hour=9, created_at=now - 6 * HOUR
    )
    assert triggers.fire(unusual.detected_at + MINUTE) == 1
    assert triggers.fire(unusual.detected_at + 2 * MINUTE) == 0
    recorded = Recording.objects.filter(anomaly=unusual, trigger=made, kind="heap_summary")
    assert set(recorded.values_list("process", flat=True)) == {unusual.process_id, unusual.sibling_id}


def test_the_api_lists_and_dismisses(unusual: Anomaly, admin_user: User, now: datetime) -> None:
    client = APIClient()
    client.force_authenticate(admin_user)
    (row,) = client.get("/api/v1/anomalies/?service=web&state=open").json()["results"]
    assert (row["slot"], row["says"], row["figures"]["rss"]["value"]) == ("web-1", unusual.says, 400.0)
    address = f"/api/v1/anomalies/{unusual.pk}/dismiss/"
    assert client.post(address, {"comment": "known"}, format="json").json()["state"] == "dismissed"
    assert client.post(address, {}, format="json").status_code == 409
    assert client.get("/api/v1/anomalies/?state=open").json()["results"] == []
    Forecast.objects.create(
        kind="process", subject="1", host="a", process=unusual.process, used_kib=1024, limit_kib=2048,
        earliest=now, likely=now + HOUR, latest=None,
    )  # fmt: skip
    (forecast,) = client.get("/api/v1/forecasts/?kind=process").json()["results"]
    assert (forecast["used_mb"], forecast["limit_mb"], forecast["latest"]) == (1.0, 2.0, None)


def test_the_page_shows_it_and_the_difference_of_the_two_heaps(
    unusual: Anomaly, admin_client: Client, now: datetime
) -> None:
    list_page = admin_client.get(reverse("admin:memwatch_anomaly_changelist")).content.decode()
    assert "web-1 on a" in list_page
    pair = [
        Recording.objects.create(
            wire_id=str(pk), kind="heap_summary", process_id=pk, anomaly=unusual, state="done", result={}
        )
        for pk in (unusual.process_id, unusual.sibling_id)
    ]
    page = admin_client.get(unusual.get_absolute_url()).content.decode()
    assert "resident memory 400 MB instead of 80 MB" in page
    difference = reverse("admin:memwatch_recording_difference", args=(pair[0].pk,))
    assert f"{difference}?other={pair[1].pk}" in page
    asked = admin_client.post(f"{unusual.get_absolute_url().removesuffix('change/')}act/dismiss/")
    assert "half as much again" in asked.content.decode()


def test_a_forecast_is_shown_as_an_interval(admin_client: Client, client: Client, now: datetime) -> None:
    process = store_process(started=now - HOUR)
    store_snapshots(process, now - MINUTE, now)
    row = Forecast.objects.create(
        kind="process", subject=str(process.pk), host="a", process=process, used_kib=1024, limit_kib=2048,
        earliest=now + 20 * HOUR, likely=now + 30 * HOUR, latest=now + 50 * HOUR,
    )  # fmt: skip
    words = f"between {timezone.localtime(row.earliest):%A %H:%M} and {timezone.localtime(row.latest):%A %H:%M}"
    for address in (reverse("admin:memwatch_forecast_changelist"), row.get_absolute_url(), process.get_absolute_url()):
        assert words in admin_client.get(address).content.decode()
    staff = User.objects.create(username="eve", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_process"))
    client.force_login(staff)
    page = client.get(process.get_absolute_url())
    assert page.status_code == 200
    assert words not in page.content.decode()
