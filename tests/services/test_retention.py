"""Roll-ups and retention: what is old goes, what it said stays."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from memwatch.management.commands import memwatch_prune
from memwatch.models import (
    Alert,
    Baseline,
    Command,
    Leak,
    Process,
    RejectedReport,
    Snapshot,
    SnapshotRollup,
    WorkName,
    WorkRollup,
)
from memwatch.services import retention
from memwatch.services.retention import PruneResult, prune
from memwatch.services.rollups import roll_up
from tests.services.stored import (
    MINUTE,
    NOON,
    QUOTE,
    end_process,
    growing,
    store_process,
    store_snapshots,
    store_work,
    type_id,
)

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def hours_of(process):
    return process.rollups.filter(period="hour").order_by("start")


def test_a_complete_hour_is_rolled_up_and_the_current_one_is_not():
    process = store_process()
    store_snapshots(process, NOON - HOUR, NOON + 10 * MINUTE, growing(-60, 10))
    assert roll_up(NOON + 10 * MINUTE) == (1, 0)
    row = SnapshotRollup.objects.get()
    raw = list(Snapshot.objects.filter(timestamp__lt=NOON))
    used = [snapshot.heap_used_kib for snapshot in raw]
    assert (row.start, row.samples) == (NOON - HOUR, 60)
    least, mean, most = row.figures["heap_used_kib"]
    assert (least, most) == (min(used), max(used))
    assert mean == pytest.approx(sum(used) / 60, abs=0.001)
    assert row.floors[type_id(QUOTE)] == min(snapshot.counts[type_id(QUOTE)] for snapshot in raw)
    assert "gc_count" not in row.figures
    assert "uss_kib" not in row.figures


def test_rolling_up_twice_writes_nothing_new():
    store_snapshots(store_process(), NOON - 3 * HOUR, NOON)
    assert roll_up(NOON) == (3, 0)
    assert roll_up(NOON) == (0, 0)


def test_snapshots_that_arrive_late_are_rolled_up_too():
    process = store_process()
    store_snapshots(process, NOON - 2 * HOUR, NOON - HOUR - 30 * MINUTE)
    roll_up(NOON)
    store_snapshots(process, NOON - HOUR - 29 * MINUTE, NOON)
    assert roll_up(NOON) == (2, 0)
    assert [row.samples for row in hours_of(process)] == [60, 60]


def test_a_day_joins_its_hours():
    process = store_process(started=NOON - 3 * DAY)
    store_snapshots(process, NOON - 2 * DAY, NOON, growing(-2880, 1), every=10 * MINUTE)
    roll_up(NOON)
    day = process.rollups.filter(period="day").order_by("start").last()
    hours = list(hours_of(process).filter(start__gte=day.start, start__lt=day.start + DAY))
    assert (len(hours), day.samples) == (24, 144)
    assert day.figures["rss_kib"][0] == min(hour.figures["rss_kib"][0] for hour in hours)
    assert day.figures["rss_kib"][2] == max(hour.figures["rss_kib"][2] for hour in hours)
    assert day.floors[type_id(QUOTE)] == min(hour.floors[type_id(QUOTE)] for hour in hours)


def test_old_snapshots_go_after_their_roll_up_and_the_last_of_an_alive_process_stays():
    alive, ended = store_process(started=NOON - 9 * DAY), store_process(slot=2, started=NOON - 9 * DAY)
    for process in (alive, ended):
        store_snapshots(process, NOON - 3 * DAY - HOUR, NOON - 3 * DAY)
    end_process(ended, NOON - 3 * DAY)
    command = Command.objects.create(
        wire_id="1", name="snapshot", process=alive, snapshot=alive.snapshots.order_by("seq").first(), expires_at=NOON
    )
    last = alive.last_snapshot
    result = prune(NOON)
    assert (result.snapshots, result.hourly_written) == (121, 4)
    assert Snapshot.objects.get() == last
    alive.refresh_from_db()
    ended.refresh_from_db()
    command.refresh_from_db()
    assert (alive.last_snapshot, ended.last_snapshot, command.snapshot) == (last, None, None)
    assert [row.samples for row in hours_of(ended)] == [60, 1]


def test_the_last_snapshot_of_a_silent_process_survives_every_prune_and_changes_no_roll_up():
    process = store_process(started=NOON - 9 * DAY)
    store_snapshots(process, NOON - 3 * DAY - HOUR, NOON - 3 * DAY - MINUTE)
    prune(NOON)
    assert prune(NOON + HOUR) == PruneResult()
    assert (Snapshot.objects.count(), hours_of(process).get().samples) == (1, 60)


def test_a_snapshot_from_a_clock_far_ahead_goes_by_when_it_came():
    process = store_process()
    store_snapshots(process, NOON, NOON)
    stray = process.snapshots.get()
    Snapshot.objects.create(process=process, seq=99, timestamp=NOON + 900 * DAY, received_at=NOON - 9 * DAY)
    prune(NOON)
    assert Snapshot.objects.get() == stray


def old_findings(process, at):
    leak = Leak.objects.create(
        service=process.service, process=process, object_type=QUOTE, severity="low", initial_count=1, current_count=2,
        growth_count=1, growth_percent=100, state="resolved", resolved_at=at,
    )  # fmt: skip
    leak.events.create(kind="detected", at=at)
    shared = {"type": "leak", "severity": "low", "service": process.service, "message": "it leaks"}
    Alert.objects.create(subject="old", cleared_at=at, **shared)
    Alert.objects.create(subject="new", **shared)
    Baseline.objects.create(service=process.service, process=process, timestamp=at, created_at=at, active=False)
    Command.objects.create(wire_id="9", name="ping", process=process, expires_at=at)
    RejectedReport.objects.create(received_at=at, reason="malformed", size=1)


def test_findings_are_kept_for_their_time_and_then_go():
    process = store_process(started=NOON - 500 * DAY)
    old_findings(process, NOON - 399 * DAY)
    assert prune(NOON) == PruneResult()
    result = prune(NOON + 2 * DAY)
    assert result == PruneResult(leaks=1, alerts=1, baselines=1, commands=1, rejected_reports=1)
    assert result.deleted == 5
    assert [alert.subject for alert in Alert.objects.all()] == ["new"]


def test_an_open_leak_is_never_pruned():
    process = store_process(started=NOON - 900 * DAY)
    Leak.objects.create(
        service=process.service, process=process, object_type=QUOTE, severity="low", initial_count=1, current_count=2,
        growth_count=1, growth_percent=100, detected_at=NOON - 800 * DAY, last_seen_at=NOON,
    )  # fmt: skip
    assert prune(NOON) == PruneResult()


def test_an_ended_process_goes_with_all_that_hangs_on_it():
    process = store_process(started=NOON - 500 * DAY)
    store_snapshots(process, NOON - 450 * DAY, NOON - 450 * DAY + HOUR)
    old_findings(process, NOON - 399 * DAY)
    end_process(process, NOON - 420 * DAY)
    result = prune(NOON)
    assert (result.processes, result.snapshots) == (1, 61)
    assert not Process.objects.exists()
    assert not Leak.objects.exists()
    assert not Baseline.objects.exists()


def test_old_roll_ups_go():
    process = store_process(started=NOON - 500 * DAY)
    for period, age in (("hour", 29), ("hour", 32), ("day", 399), ("day", 402)):
        SnapshotRollup.objects.create(
            process=process, period=period, start=NOON - age * DAY, samples=1, figures={}, floors={}
        )
    result = prune(NOON)
    assert (result.hourly_rollups, result.daily_rollups) == (1, 1)


def test_old_work_goes_and_a_name_goes_with_the_last_of_it():
    process = store_process(started=NOON - 500 * DAY)
    for period, age in (("hour", 29), ("hour", 32), ("day", 399), ("day", 402)):
        store_work(process, NOON - age * DAY, period=period)
    store_work(process, NOON - 402 * DAY, "shop.tasks.gone", period="day")
    result = prune(NOON)
    assert (result.hourly_work, result.daily_work, result.work_names, result.deleted) == (1, 2, 1, 4)
    assert sorted((NOON - row.start).days for row in WorkRollup.objects.all()) == [29, 399]
    assert WorkName.objects.get().name == "shop.tasks.sync"


def test_a_process_that_goes_leaves_the_work_of_its_service():
    process = store_process(started=NOON - 500 * DAY)
    store_work(process, NOON - DAY, peak_calls=3, peak_kib_max=90_000)
    end_process(process, NOON - 420 * DAY)
    assert prune(NOON).processes == 1
    assert (WorkRollup.objects.get().peak_kib_max, WorkRollup.objects.get().peak_process) == (90_000, None)


def test_progress_counts_up_to_the_whole():
    told = []
    store_snapshots(store_process(started=NOON - 9 * DAY), NOON - 3 * DAY, NOON - 3 * DAY + HOUR)
    prune(NOON, lambda *progress: told.append(progress))
    assert ("snapshots", 0, 60) in told
    assert ("snapshots", 60, 60) in told


def test_rows_go_batch_by_batch_and_those_that_stay_are_left_alone(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 7)
    process = store_process(started=NOON - 9 * DAY)
    store_snapshots(process, NOON - 3 * DAY, NOON - 3 * DAY + HOUR)
    store_snapshots(process, NOON - HOUR, NOON)
    assert prune(NOON).snapshots == 61
    assert process.snapshots.count() == 61
    assert prune(NOON).snapshots == 0


def test_every_kind_of_row_has_its_words():
    fields = {field.name for field in dataclasses.fields(PruneResult)}
    assert set(memwatch_prune._WORDS) == fields - {"freed_bytes"}


def test_the_command_says_how_much_room_there_is_for_new_rows():
    now = timezone.now()
    process = store_process(started=now - 9 * DAY)
    store_snapshots(process, now - 4 * DAY, now - 3 * DAY)
    out = StringIO()
    call_command("memwatch_prune", stdout=out)
    (line,) = [line for line in out.getvalue().splitlines() if "MB" in line]
    assert 0.1 < float(line.split()[0]) < 10


def test_a_dry_run_of_the_command_counts_and_changes_nothing():
    now = timezone.now()
    store_snapshots(store_process(started=now - 9 * DAY), now - 3 * DAY, now - 3 * DAY + HOUR)
    out = StringIO()
    call_command("memwatch_prune", "--dry-run", stdout=out)
    assert out.getvalue().split() == ["60", "snapshots", "would", "be", "deleted"]
    assert Snapshot.objects.count() == 61


def test_the_command_prunes_and_says_what_it_did():
    now = timezone.now()
    store_snapshots(store_process(started=now - 9 * DAY), now - 3 * DAY, now - 3 * DAY + HOUR)
    out = StringIO()
    call_command("memwatch_prune", stdout=out)
    assert "60  snapshots deleted" in out.getvalue()
    assert Snapshot.objects.count() == 1
    again = StringIO()
    call_command("memwatch_prune", stdout=again)
    assert again.getvalue().strip() == "Nothing is old enough to be pruned."


def test_the_command_shows_bars_on_a_terminal(capsys):
    class Terminal(StringIO):
        def isatty(self):
            return True

    now = timezone.now()
    store_snapshots(store_process(started=now - 9 * DAY), now - 3 * DAY, now - 3 * DAY + HOUR)
    call_command("memwatch_prune", stdout=StringIO(), stderr=Terminal())
    assert "snapshots" in capsys.readouterr().err
    assert Snapshot.objects.count() == 1
