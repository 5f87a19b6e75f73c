from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection

from memwatch import queries
from memwatch.models import Leak, Process, Snapshot
from memwatch.services.ingest import reader
from tests.reports import at, process, report, snapshot

pytestmark = pytest.mark.django_db


def stored(*reports: Any) -> None:
    reader.take([item.encode() for item in reports], now=at(600))


def test_the_fleet_is_read_in_as_many_queries_for_fifty_as_for_one(django_assert_max_num_queries: Any) -> None:
    stored(*(report(process(pid), {0: snapshot()}) for pid in range(1, 51)))
    with django_assert_max_num_queries(5):
        found = queries.fleet()
        assert {item.process.slot for item in found} == {f"web-{number}" for number in range(1, 51)}
    assert found[0].figures.heap_used_mb == 64


def test_the_latest_census_is_told_where_the_last_snapshot_took_none(django_assert_max_num_queries: Any) -> None:
    without = {"total_objects": None, "top_objects": None}
    stored(
        *(report(process(pid), {0: snapshot(0), 1: snapshot(60), 2: snapshot(120, **without)}) for pid in range(1, 30))
    )
    stored(report(process(50), {0: snapshot(0)}), report(process(51), {0: snapshot(0, **without)}))
    rows = list(Process.objects.select_related("service", "last_snapshot").order_by("pid"))
    with django_assert_max_num_queries(7):
        found = queries.figures_of_processes(rows, census=True)
    assert [item.figures.total_objects for item in found] == [None] * 29 + [60_000, None]
    assert {item.census.timestamp for item in found[:29]} == {at(60)}
    assert {item.census.total_objects for item in found[:30]} == {60_000}
    assert found[30].census.total_objects is None


def test_a_process_shows_its_leaks_and_its_drift() -> None:
    stored(report(process(1), {0: snapshot(heap_used_mb=50), 1: snapshot(60, heap_used_mb=60)}), report(process(2), {}))
    one, two = Process.objects.order_by("pid")
    for state, name in (("open", "A"), ("acknowledged", "B"), ("resolved", "C"), ("suppressed", "D")):
        Leak.objects.create(
            service=one.service, process=one, object_type=name, state=state, severity="low",
            initial_count=1, current_count=2, growth_count=1, growth_percent=100,
        )  # fmt: skip
    first, second = queries.fleet()
    assert (first.open_leaks, first.drift_percent) == (2, 20)
    assert (second.open_leaks, second.drift_percent, second.figures) == (0, None, None)
    metrics = queries.metrics_of(one)
    assert (metrics.heap_used_mb, metrics.active_leaks, metrics.baseline_drift_percent) == (60, 2, 20)
    assert queries.metrics_of(two).heap_used_mb is None


def test_the_ended_are_read_apart() -> None:
    stored(report(process(1), {0: snapshot()}), report(process(2), {0: snapshot()}))
    stored(report(process(2), sent_s=60, goodbye=True))
    assert [item.process.pid for item in queries.fleet()] == [1]
    assert [item.process.pid for item in queries.fleet(alive=False)] == [2]


def test_a_last_snapshot_that_was_pruned_is_no_error() -> None:
    stored(report(process(1), {0: snapshot()}))
    Snapshot.objects.all().delete()
    (item,) = queries.fleet()
    assert item.figures is None
    assert queries.drift_of(Process.objects.get()) is None


def test_drift_names_what_moved() -> None:
    later = snapshot(460, heap_used_mb=128, total_objects=90_000, gc_collections_gen2=4)
    stored(report(process(1), {0: snapshot(400), 1: later}))
    drift = queries.drift_of(Process.objects.get())
    assert (drift.heap_drift_mb, drift.heap_drift_percent, drift.object_drift) == (64, 100, 30_000)
    assert drift.gc_frequency_change == pytest.approx((3 / 60) / (1 / 400))
    assert drift.significant_drifts


def test_history_is_the_newest_of_the_time_asked_for_oldest_first() -> None:
    stored(report(process(1), {seq: snapshot(60 * seq, heap_used_mb=seq + 1) for seq in range(10)}))
    row = Process.objects.get()
    assert [item.heap_used_mb for item in queries.history(row, since=at(0), limit=3)] == [8, 9, 10]
    assert [item.heap_used_mb for item in queries.history(row, since=at(60), until=at(120))] == [2, 3]


def test_what_is_judged_comes_as_columns() -> None:
    late = {"dict": 9_000, "shop.Quote": 50}
    taken = {
        0: snapshot(0, counts={"dict": 8_000}),
        1: snapshot(60, counts=late, backfill={"shop.Quote": 4}),
        2: snapshot(120, top_objects=None, rss_mb=None),
    }
    stored(report(process(1, extension_modules=("lxml",)), taken))
    found = queries.judged_history(Process.objects.get(), since=at(0))
    assert found.times == tuple(at(60 * seq).timestamp() for seq in range(3))
    assert {name: list(series) for name, series in found.counts.items()} == {
        "dict": [8_000, 9_000, None],
        "shop.Quote": [4, 50, None],
    }
    assert list(found.figures["rss_mb"]) == [96, 96, None]
    assert (found.extension_modules, found.heap_limit_source) == (("lxml",), "setting")


def test_many_processes_are_judged_in_few_queries(django_assert_max_num_queries: Any) -> None:
    stored(*(report(process(pid), {0: snapshot(), 1: snapshot(60)}) for pid in range(1, 61)))
    silent = report(process(99), {})
    stored(silent)
    rows = list(Process.objects.all())
    with django_assert_max_num_queries(6):  # one of them for what was recorded
        found = dict(queries.judged_histories(rows, since=at(0)))
    assert len(found) == 60
    assert {len(history) for history in found.values()} == {2}
    assert len(queries.judged_history(Process.objects.get(pid=99), since=at(0))) == 0


def test_writing_between_two_histories_works_on_sqlite() -> None:
    """An open read makes every write of its connection fail in SQLite once somebody else has written."""
    for pid, start in product((1, 2), (0, 100, 200, 300)):
        stored(report(process(pid), {seq: snapshot(seq) for seq in range(start, start + 100)}))
    seen = []
    with connection.cursor() as cursor:
        for _process, history in queries.judged_histories(list(Process.objects.all()), since=at(0)):
            seen.append(len(history))
            cursor.execute("CREATE TEMPORARY TABLE kept (id int)")
            cursor.execute("DROP TABLE kept")  # refused while a read is open on the same connection
    assert seen == [400, 400]


def test_two_snapshots_side_by_side() -> None:
    stored(
        report(
            process(1),
            {
                0: snapshot(counts={"dict": 100, "shop.Gone": 5}),
                1: snapshot(60, counts={"dict": 150, "shop.Quote": 70, "shop.New": 3}, backfill={"shop.Quote": 10},
                            heap_used_mb=96),
            },
        )
    )  # fmt: skip
    before, after = Snapshot.objects.order_by("seq")
    found = queries.compare(before, after)
    heap = next(row for row in found.figures if row.name == "heap_used_mb")
    assert (heap.before, heap.after, heap.difference, heap.percent) == (64, 96, 32, 50)
    assert [(row.name, row.difference) for row in found.types] == [
        ("shop.Quote", 60),
        ("dict", 50),
        ("shop.Gone", None),
        ("shop.New", None),
    ]


def test_stats_say_how_memwatch_is_doing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setenv("MEMWATCH_TRANSPORT", f"local://{tmp_path}/transport")
    settings.MEMWATCH = {}
    stored(report(process(1), {0: snapshot()}, dropped=4), report(process(2), {0: snapshot()}))
    reader.take([b"bad"])
    found = queries.stats(at(600) + timedelta(seconds=30))
    assert (found["processes_alive"], found["processes_silent"], found["snapshots_stored"]) == (2, 0, 2)
    assert (found["snapshots_dropped"], found["rejected_by_reason"]) == (4, {"malformed": 1})
    assert found["open_leaks"] == {"low": 0, "medium": 0, "high": 0, "critical": 0}
    assert (found["lag_s"], found["transport"]["backlog"], found["cost"]["census_pause_ms_mean"]) == (30, 0, 3.5)
    assert queries.stats(at(600) + timedelta(seconds=149))["processes_silent"] == 0
    assert queries.stats(at(600) + timedelta(seconds=151))["processes_silent"] == 2
