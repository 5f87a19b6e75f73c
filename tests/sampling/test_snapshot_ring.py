"""Snapshots kept in memory that is allocated once."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from memwatch.records import BigContainer, MemorySnapshot
from memwatch.sampling.snapshot_ring import KeptSnapshots

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def snapshot(number: int, *, types: int = 40) -> MemorySnapshot:
    return MemorySnapshot(
        timestamp=START + timedelta(seconds=number),
        heap_used_mb=100 + number / 7,
        total_objects=60_000 + number,
        top_objects={f"shop.models.Type{kind}": 1000 * kind + number for kind in range(types)},
        big_containers=(BigContainer(type="list", length=number, holds="str", token=140_000_000_000),),
        gc_count=(1, 2, number % 10),
        gc_collections_gen1=number // 10,
        gc_collections_gen2=None if number % 3 else number // 100,
    )


def test_the_ring_returns_snapshots_unchanged() -> None:
    kept = KeptSnapshots()
    for number in range(30):
        kept.add(snapshot(number))
    assert kept.dicts() == [snapshot(number).to_dict() for number in range(30)]
    assert kept.dicts(2) == [snapshot(28).to_dict(), snapshot(29).to_dict()]
    assert kept.dicts(0) == []
    assert kept.dicts(-1) == []
    assert len(kept.dicts(500)) == 30
    assert MemorySnapshot.from_dict(kept.dicts(1)[0]) == snapshot(29)


def test_a_window_is_thinned_out_evenly_and_keeps_the_newest() -> None:
    kept = KeptSnapshots()
    for number in range(100):
        kept.add(snapshot(number))
    since = (START + timedelta(seconds=50)).timestamp()
    seconds = [datetime.fromisoformat(row["timestamp"]).second for row in kept.dicts(since=since, at_most=10)]
    assert len(seconds) == 10
    assert kept.dicts(since=since, at_most=10)[-1] == snapshot(99).to_dict()


def test_columns_leave_out_what_was_not_measured() -> None:
    kept = KeptSnapshots()
    for number in range(6):
        kept.add(snapshot(number))
    assert list(kept.column("gc_collections_gen2")) == [(START.timestamp(), 0), (START.timestamp() + 3, 0)]
    assert [value for _, value in kept.column("heap_used_mb")] == [100 + number / 7 for number in range(6)]


def test_the_newest_thousand_fit_into_two_megabytes() -> None:
    kept = KeptSnapshots()
    for number in range(1100):
        kept.add(snapshot(number, types=80))
    assert len(kept) == 1000
    assert kept.size_bytes <= 2 * 1024 * 1024
    assert kept.dicts(1) == [snapshot(1099, types=80).to_dict()]
    assert kept.dicts()[0] == snapshot(100, types=80).to_dict()


def test_keeping_takes_no_memory_beyond_the_first() -> None:
    kept = KeptSnapshots(rows=200, room_bytes=200_000)
    kept.add(snapshot(0))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, 400):
            kept.add(snapshot(number))
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_one_that_is_larger_than_all_the_room_is_not_kept() -> None:
    kept = KeptSnapshots(rows=10, room_bytes=1_000)
    kept.add(snapshot(0, types=1))
    kept.add(snapshot(1, types=400))
    assert kept.dicts() == [snapshot(0, types=1).to_dict()]


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=60),
    st.integers(1, 12),
    st.integers(1_500, 6_000),
)
def test_whatever_the_sizes_the_newest_are_kept_whole_and_in_order(sizes: list[int], rows: int, room: int) -> None:
    kept = KeptSnapshots(rows=rows, room_bytes=room)
    given_rows = [snapshot(number, types=types) for number, types in enumerate(sizes)]
    for row in given_rows:
        kept.add(row)
    expected = [row.to_dict() for row in given_rows]
    found = kept.dicts()
    assert len(found) == len(kept) <= rows
    positions = [expected.index(row) for row in found]
    assert positions == sorted(positions)
