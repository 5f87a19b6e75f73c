"""Columns from any list of snapshots."""

import time
from datetime import datetime

import pytest

from memwatch.detection import History, detect_leaks
from memwatch.detection.history import MAX_NAME, MAX_TYPES
from memwatch.records import MemorySnapshot
from tests.detection.builders import START, series, snapshot


def test_snapshots_may_come_in_any_order_and_twice_and_as_dicts():
    given = series(lambda i: 100 + i, 6)
    mixed = [given[3], given[0].to_dict(), given[5], given[1], given[1].to_dict(), given[4], given[2]]
    history = History.from_snapshots(mixed)
    assert list(history.counts["app.Thing"]) == [100, 101, 102, 103, 104, 105]
    assert history.times == tuple(sorted(history.times))


def test_what_was_not_measured_is_none_and_not_zero():
    history = History.from_snapshots([snapshot(0, {"a": 1}), snapshot(1), snapshot(2, {"b": 2}, rss_mb=5.0)])
    assert list(history.counts["a"]) == [1, None, None]
    assert list(history.figure("rss_mb")) == [None, None, 5.0]
    assert list(history.figure("uss_mb")) == [None, None, None]


def test_a_type_reported_late_has_its_count_at_the_baseline():
    first, late = snapshot(0, {"a": 1}), snapshot(2, {"a": 1, "b": 900}, backfill={"b": 40})
    history = History.from_snapshots([first, snapshot(1, {"a": 1}), late])
    assert list(history.counts["b"]) == [40, None, 900]


def test_a_restart_in_between_begins_anew():
    before = [snapshot(i, {"a": 1000 + i}, gc_collections_gen2=20 + i) for i in range(5)]
    after = [snapshot(5 + i, {"a": 10 + i}, gc_collections_gen2=i) for i in range(4)]
    lives = History.lives_from_snapshots(before + after)
    assert [len(life) for life in lives] == [5, 4]
    assert list(History.from_snapshots(before + after).counts["a"]) == [10, 11, 12, 13]


def test_malloc_is_what_pymalloc_leaves_of_the_heap():
    history = History.from_snapshots([snapshot(i, heap_used_mb=50.0 + i, pymalloc_used_mb=30.0) for i in range(3)])
    assert list(history.figure("malloc_used_mb")) == [20.0, 21.0, 22.0]


def test_no_snapshots_and_fewer_than_three_are_no_leak():
    assert detect_leaks([]) == []
    assert detect_leaks(series(lambda i: 1000 * i, 2)) == []


def test_equal_times_are_one_point():
    given = [MemorySnapshot(timestamp=START, top_objects={"a": n}) for n in (1, 500, 1000)]
    assert len(History.from_snapshots(given)) == 1
    assert detect_leaks(given) == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"timestamp": START, "rss_mb": float("nan")}, "rss_mb is nan"),
        ({"timestamp": START, "rss_mb": -1.0}, "rss_mb is -1"),
        ({"timestamp": START, "allocated_blocks": 10**400}, "allocated_blocks is beyond all measure"),
        ({"timestamp": START, "top_objects": {"dict": 10**400}}, "dict'] is beyond all measure"),
        ({"timestamp": START, "big_containers": 5}, "big_containers is a int"),
        ({"timestamp": START, "big_containers": [{"type": "list", "length": "many"}]}, "length of a container is many"),
        ({"timestamp": START, "big_containers": [{"type": "list", "length": -1}]}, "length of a container is -1"),
        ({"timestamp": START, "big_containers": [{"type": "list", "length": 5, "holds": 7}]}, "holds of a container"),
        ({"timestamp": START, "big_containers": [{"type": "list", "length": 5, "token": [1]}]}, "token of a container"),
        ({"timestamp": START, "top_objects": {"dict": -1}}, "counts are whole numbers"),
        ({"timestamp": START, "top_objects": {"dict": float("nan")}}, "counts are whole numbers"),
        ({"timestamp": START, "top_objects": ["dict"]}, "give a mapping"),
        ({"timestamp": START, "top_objects": {3: 1}}, "type names are text"),
        ({"timestamp": datetime(2026, 1, 1)}, "without a time zone"),  # noqa: DTZ001 - that is the point
        ({"timestamp": "yesterday"}, "ISO 8601"),
        ({}, "timestamp"),
        ("snapshot", "a str is no snapshot"),
    ],
)
def test_what_is_no_snapshot_is_refused_with_the_reason(bad, says):
    with pytest.raises(ValueError, match=says):
        detect_leaks([bad])


def test_a_hundred_thousand_types_are_bounded():
    counts = {f"app.T{i}": i for i in range(100_000)}
    more = counts | {"app.Leak": 90_000}
    begin = time.perf_counter()
    history = History.from_snapshots([snapshot(0, counts | {"app.Leak": 10}), snapshot(1, more), snapshot(2, more)])
    assert len(history.counts) == MAX_TYPES
    assert "app.Leak" in history.counts
    assert time.perf_counter() - begin < 5


def test_names_of_ten_thousand_characters_are_cut_and_stay_apart():
    names = {"x" * 10_000 + tail: 5 for tail in ("a", "b")}
    history = History.from_snapshots([snapshot(i, names) for i in range(3)])
    assert len(history.counts) == 2
    assert all(len(name) <= MAX_NAME for name in history.counts)


def test_ten_thousand_snapshots_take_no_quadratic_time():
    given = [snapshot(i, {"app.Thing": 100 + 3 * i, "dict": 5000 + i % 7}) for i in range(10_000)]
    begin = time.perf_counter()
    assert [leak.object_type for leak in detect_leaks(given)] == ["app.Thing"]
    assert time.perf_counter() - begin < 5


def test_types_that_all_grow_are_judged_as_far_as_seconds_allow():
    given = [snapshot(i, {f"app.T{n}": 100 + n * i for n in range(2000)}) for i in range(20)]
    found = {leak.object_type for leak in detect_leaks(given)}
    assert "app.T1999" in found
    assert len(found) <= 100


def test_a_negative_or_endless_timestamp_and_containers_of_nothing_are_refused():
    for bad in ({"timestamp": float("nan")}, {"timestamp": None}, {"timestamp": START, "big_containers": [{"a": 1}]}):
        with pytest.raises(ValueError, match=r"timestamp|has no 'type'"):
            detect_leaks([bad] * 3)
