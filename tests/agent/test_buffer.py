"""Snapshots that wait."""

from __future__ import annotations

import gc
from datetime import UTC, datetime

from memwatch.agent.outbox import Buffer
from memwatch.records import BigContainer, MemorySnapshot
from memwatch.transport.wire import MAX_SNAPSHOTS_PER_REPORT


def snapshot(number: int = 1, types: int = 40) -> MemorySnapshot:
    return MemorySnapshot(
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        total_objects=number,
        top_objects={f"shop.models.Type{index}": index for index in range(types)},
        big_containers=(BigContainer(type="list", length=5000, holds="bytes"),),
        gc_count=(1, 2, 3),
    )


def test_what_was_kept_comes_back_unchanged_and_in_order() -> None:
    buffer = Buffer(10)
    for seq in (1, 2, 3):
        buffer.add(seq, snapshot(seq))
    batch = buffer.batch()
    assert batch == tuple((seq, snapshot(seq)) for seq in (1, 2, 3))
    assert buffer.batch() == batch, "it stays until it is delivered"
    buffer.delivered(batch)
    assert len(buffer) == 0
    assert buffer.dropped == 0


def test_a_full_buffer_gives_up_the_oldest_and_counts_it() -> None:
    buffer = Buffer(3)
    for seq in range(1, 8):
        buffer.add(seq, snapshot(seq))
    assert [seq for seq, _ in buffer.batch()] == [5, 6, 7]
    assert buffer.dropped == 4


def test_batches_fit_into_a_report() -> None:
    buffer = Buffer(500)
    for seq in range(250):
        buffer.add(seq, snapshot(seq, types=5))
    sizes = []
    while len(buffer):
        batch = buffer.batch()
        sizes.append(len(batch))
        buffer.delivered(batch)
    assert sizes == [MAX_SNAPSHOTS_PER_REPORT, MAX_SNAPSHOTS_PER_REPORT, 50]

    for seq in range(100):
        buffer.add(seq, snapshot(seq, types=500))
    assert 1 <= len(buffer.batch()) < MAX_SNAPSHOTS_PER_REPORT


def test_a_snapshot_that_fits_into_no_report_is_dropped_and_counted() -> None:
    buffer = Buffer(10)
    buffer.add(1, snapshot(1, types=40_000))
    assert len(buffer) == 0
    assert buffer.dropped == 1


def test_a_long_outage_does_not_look_like_a_leak_of_the_host() -> None:
    buffer = Buffer(500)
    buffer.add(0, snapshot())
    gc.collect()
    before = len(gc.get_objects())
    for seq in range(500):
        buffer.add(seq, snapshot(seq))
    gc.collect()
    assert len(gc.get_objects()) - before < 50
    assert sum(len(packed) for _, _, packed in buffer._kept) < 500 * 2000
