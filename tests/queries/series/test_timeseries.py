"""Processes over any stretch of time, as a few hundred points."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memwatch.models import Baseline, Leak, ObjectType, Process, Recording, Release, Service, Snapshot, SnapshotRollup
from memwatch.queries import DAILY, HOURLY, charted, events
from memwatch.queries.series.timeseries import MOST_READ, POINTS, Point, bucketed

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def _process(slot: int = 1, *, age: timedelta = 400 * DAY) -> Process:
    service, _new = Service.objects.get_or_create(name="web")
    return Process.objects.create(
        key=f"{slot}-{Process.objects.count()}", service=service, host="h", pid=slot, slot_number=slot,
        started_at=NOW - age, first_seen_at=NOW - age, lease_expires_at=NOW,
    )  # fmt: skip


def _snapshots(process: Process, count: int, step: timedelta, *, counts: dict[str, int] | None = None) -> None:
    Snapshot.objects.bulk_create(
        Snapshot(process=process, seq=seq, timestamp=NOW - step * (count - 1 - seq), rss_kib=1024 * seq, counts=counts)
        for seq in range(count)
    )


def _rollups(process: Process, period: str, step: timedelta, count: int, *, until: datetime) -> None:
    SnapshotRollup.objects.bulk_create(
        SnapshotRollup(
            process=process, period=period, start=until - step * (each + 1), samples=60,
            figures={"rss_kib": [1024, 2048, 4096], "total_objects": [1, 2, 3]}, floors={},
        )
        for each in range(count)
    )  # fmt: skip


@pytest.mark.django_db
def test_few_snapshots_are_all_drawn_with_the_types_asked_for() -> None:
    process, kind = _process(), ObjectType.objects.create(name="shop.Quote")
    other = ObjectType.objects.create(name="other")
    _snapshots(process, 20, timedelta(minutes=1), counts={str(kind.pk): 7, str(other.pk): 9})
    points = charted([process], since=NOW - HOUR, until=NOW, types=["shop.Quote", "unheard.of"])[process.pk]
    assert [point.figures["rss_mb"] for point in points] == [(mb, mb, mb) for mb in range(20)]
    assert points[0].counts == {"shop.Quote": 7}


@pytest.mark.django_db
def test_of_many_snapshots_only_some_are_read_and_the_last_is_among_them() -> None:
    process = _process()
    _snapshots(process, 5 * MOST_READ, timedelta(seconds=2))
    with CaptureQueriesContext(connection) as captured:
        points = charted([process], since=NOW - 24 * HOUR, until=NOW)[process.pk]
    assert len(captured) <= 4
    assert len(points) <= POINTS
    assert points[-1].figures["rss_mb"][2] == 5 * MOST_READ - 1
    assert points[0].figures["rss_mb"][0] == 0


@pytest.mark.django_db
def test_a_process_seen_from_outside_is_drawn_too_though_the_clock_numbers_its_snapshots() -> None:
    process = _process(age=48 * HOUR)
    process.outside = True
    step = timedelta(seconds=20)
    rows = [(NOW - step * (4000 - at), at) for at in range(4001)]
    Snapshot.objects.bulk_create(
        Snapshot(process=process, seq=round(at.timestamp() * 1000), timestamp=at, rss_kib=1024 * mb) for at, mb in rows
    )
    with CaptureQueriesContext(connection) as captured:
        points = charted([process], since=NOW - 26 * HOUR, until=NOW)[process.pk]
    assert len(captured) <= 3
    assert 100 < len(points) <= POINTS
    assert points[-1].figures["rss_mb"][2] == 4000


@pytest.mark.django_db
def test_a_long_range_is_drawn_from_roll_ups_and_ends_with_snapshots() -> None:
    process = _process()
    rolled = NOW - HOUR
    _snapshots(process, 60, timedelta(minutes=1))
    _rollups(process, HOURLY, HOUR, 7 * 24, until=rolled)
    points = charted([process], since=NOW - 7 * DAY, until=NOW)[process.pk]
    assert [point.at for point in points] == sorted(point.at for point in points)
    assert points[0].figures["rss_mb"] == (1.0, 2.0, 4.0)
    assert points[0].at < NOW - 7 * DAY + 2 * HOUR
    assert points[-1].at == NOW


@pytest.mark.django_db
def test_a_year_is_drawn_from_days_hours_and_snapshots_in_turn() -> None:
    process = _process()
    midnight = NOW.replace(hour=0)
    _snapshots(process, 30, timedelta(minutes=1))
    _rollups(process, HOURLY, HOUR, 24 * 20, until=NOW - HOUR)
    _rollups(process, DAILY, DAY, 365, until=midnight)
    points = charted([process], since=NOW - 365 * DAY, until=NOW, points=1_000)[process.pk]
    assert [point.at for point in points] == sorted(point.at for point in points)
    sources = [point.source for point in points]
    assert sources == [DAILY] * 365 + [HOURLY] * (len(sources) - 365 - 30) + ["snapshots"] * 30
    assert 10 <= sources.count(HOURLY) <= 12


@pytest.mark.django_db
def test_a_day_that_was_pruned_is_drawn_from_what_is_left() -> None:
    process = _process()
    _rollups(process, HOURLY, HOUR, 48, until=NOW - 9 * DAY)
    points = charted([process], since=NOW - 10 * DAY, until=NOW - 9 * DAY)[process.pk]
    assert len(points) in (24, 25)
    assert {point.source for point in points} == {HOURLY}


@pytest.mark.django_db
def test_many_processes_take_as_many_queries_as_one() -> None:
    few, many = [_process(1)], [_process(slot) for slot in range(2, 12)]
    for process in few + many:
        _snapshots(process, 5, timedelta(minutes=1))

    def queries(processes: list[Process]) -> int:
        with CaptureQueriesContext(connection) as captured:
            found = charted(processes, since=NOW - HOUR, until=NOW)
        assert all(len(found[process.pk]) == 5 for process in processes)
        return len(captured)

    assert queries(many) == queries(few)


def test_a_spike_stays_in_the_range_of_its_stretch() -> None:
    history = [
        Point(NOW + timedelta(seconds=at), {"rss_mb": (v, v, v)}, {})
        for at, v in enumerate([100.0] * 500 + [900.0] + [100.0] * 499)
    ]
    joined = bucketed(history, 50)
    assert len(joined) == 50
    assert max(point.figures["rss_mb"][2] for point in joined) == 900.0
    assert min(point.figures["rss_mb"][0] for point in joined) == 100.0


@pytest.mark.django_db
def test_what_happened_to_a_process_is_told_in_order() -> None:
    process = _process(age=5 * HOUR)
    Process.objects.filter(pk=process.pk).update(ended_at=NOW - HOUR)
    process.refresh_from_db()
    service = process.service
    Release.objects.create(service=service, name="2.4", first_seen_at=NOW - 4 * HOUR)
    Release.objects.create(service=service, name="1.0", first_seen_at=NOW - 40 * HOUR)
    Baseline.objects.create(service=service, timestamp=NOW, created_at=NOW - 3 * HOUR, active=False)
    Baseline.objects.create(service=service, process=process, timestamp=NOW, created_at=NOW, automatic=True)
    Leak.objects.create(
        service=service, process=process, object_type="x", severity="low", initial_count=1, current_count=2,
        growth_count=1, growth_percent=1, detected_at=NOW - 2 * HOUR,
    )  # fmt: skip
    Recording.objects.create(process=process, kind="referrers", requested_at=NOW - 1.5 * HOUR, state="done")
    with CaptureQueriesContext(connection) as captured:
        found = events([process], since=NOW - 6 * HOUR, until=NOW)
    assert [event.kind for event in found] == ["start", "release", "baseline", "leak", "recording", "end"]
    assert len(captured) == 4
