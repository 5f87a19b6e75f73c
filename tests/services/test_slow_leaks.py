"""Leaks too slow for an hour, seen in the floors of the roll-ups: over a day, over a week, under a daily load."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from memwatch.models import Leak, Snapshot, SnapshotRollup
from memwatch.services.leaks import judging
from memwatch.services.retention import prune
from memwatch.services.rollups import roll_up
from tests.services.stored import NOON, store_process, store_snapshots

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = 24 * HOUR
EVERY = timedelta(minutes=20)
NODE = "shop.slow.Node"


def slow(percent_an_hour, *, load=0.0, wobble=0.02, start=NOON - 30 * DAY):
    """A type of 2,000 that gains so much an hour, under a daily curve of ``load`` (a share) with its peak at noon."""

    def figures(minutes):
        hours = (NOON - start) / HOUR + minutes / 60
        day = load * (1 - math.cos(2 * math.pi * (minutes / 60 + 12) / 24)) / 2
        noise = ((round(minutes) * 7919) % 101) / 101
        count = 2_000 * (1 + percent_an_hour / 100 * hours + day + wobble * noise)
        return {"types": {NODE: round(count)}}

    return figures


def stored(percent_an_hour, *, days=1.0, **options):
    """A process that has run for so long, up to NOON, and its hourly roll-ups."""
    start = NOON - days * DAY - 2 * HOUR
    process = store_process(started=start - HOUR)
    store_snapshots(process, start, NOON, slow(percent_an_hour, start=start, **options), every=EVERY)
    roll_up(NOON)
    return process


def found():
    return [(leak.object_type, leak.evidence["window"]) for leak in Leak.objects.filter(state="open")]


def test_two_percent_an_hour_is_found_within_a_day():
    stored(2.0)
    judging.detect(NOON)
    assert [name for name, _ in found()] == [NODE]


def test_two_percent_an_hour_is_found_within_a_day_under_a_daily_load():
    stored(2.0, load=0.2)
    judging.detect(NOON)
    assert [name for name, _ in found()] == [NODE]


def test_a_daily_load_alone_is_no_leak():
    stored(0.0, load=0.8, days=3)
    judging.detect(NOON)
    assert found() == []


def test_a_leak_is_found_in_roll_ups_alone_when_the_snapshots_are_pruned(settings):
    settings.MEMWATCH = {"RETENTION_SNAPSHOTS_HOURS": 24}
    process = stored(0.5, days=5, load=0.2)
    prune(NOON)
    assert Snapshot.objects.filter(process=process, timestamp__lt=NOON - 25 * HOUR).count() == 0
    assert SnapshotRollup.objects.filter(process=process, period="hour").count() > 4 * 24
    judging.detect(NOON)
    assert found() == [(NODE, "week")]


def test_what_the_hours_around_the_border_of_retention_hold_is_counted_once_and_whole(settings):
    """Raw on one side, roll-ups on the other: the series has no seam, and pruning again does not change a floor."""
    settings.MEMWATCH = {"RETENTION_SNAPSHOTS_HOURS": 24}
    stored(2.0, days=2)
    before = list(SnapshotRollup.objects.order_by("pk").values_list("start", "samples", "floors"))
    for hours in range(3):
        prune(NOON + hours * HOUR / 2)
    kept = list(SnapshotRollup.objects.filter(start__lt=NOON).order_by("pk").values_list("start", "samples", "floors"))
    assert kept[: len(before)] == before


def test_snapshots_that_arrive_late_lower_the_floor_of_their_hour():
    process = stored(2.0)
    hour = (NOON - 8 * HOUR).replace(minute=0)
    row = SnapshotRollup.objects.get(process=process, period="hour", start=hour)
    ((key, floor),) = [(key, value) for key, value in row.floors.items() if 1_900 < value < 4_000]
    late = Snapshot.objects.filter(process=process, timestamp__gte=hour).order_by("timestamp").first()
    late.pk, late.seq, late.timestamp = None, 100_000, hour + timedelta(minutes=5)
    late.counts = {**late.counts, key: floor - 500}
    late.save(force_insert=True)
    roll_up(NOON + HOUR)
    row.refresh_from_db()
    assert (row.floors[key], row.samples) == (floor - 500, 4)


def test_agents_that_report_rarely_may_deliver_later(settings):
    """Their buffer holds 500 snapshots: at one in five minutes that is 41 hours."""
    settings.MEMWATCH = {"SNAPSHOT_INTERVAL": 300}
    process = stored(2.0, days=2)
    hour = (NOON - 36 * HOUR).replace(minute=0)
    row = SnapshotRollup.objects.get(process=process, period="hour", start=hour)
    late = Snapshot.objects.filter(process=process, timestamp__gte=hour).order_by("timestamp").first()
    late.pk, late.seq, late.timestamp = None, 100_000, hour + timedelta(minutes=5)
    late.save(force_insert=True)
    roll_up(NOON + HOUR)
    row.refresh_from_db()
    assert row.samples == 4


def test_the_hour_of_the_start_is_not_taken_for_growth():
    start = NOON - DAY + timedelta(minutes=50)

    def imports(minutes):
        return {"types": {NODE: 9_000 if minutes > -24 * 60 + 75 else 200}}

    process = store_process(started=start)
    store_snapshots(process, start, NOON, imports, every=timedelta(minutes=2))
    roll_up(NOON)
    judging.detect(NOON)
    assert found() == []


def test_over_days_a_limit_is_whose_the_last_snapshot_says():
    process = stored(2.0)
    for source in ("cgroup", "rlimit", "host"):
        Leak.objects.all().delete()
        Snapshot.objects.filter(pk=process.last_snapshot_id).update(heap_limit_source=source)
        judging.detect(NOON + 31 * timedelta(minutes=1) * ("cgroup", "rlimit", "host").index(source))
        leak = Leak.objects.get(object_type=NODE)
        assert leak.evidence["statistics"]["limit_source"] == source
