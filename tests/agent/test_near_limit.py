"""The last minute before a limit, second by second."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from memwatch.agent.near_limit import EVERY_S, KEPT, LOOK_EVERY_S, NearLimit
from memwatch.records import MemorySnapshot


def snapshot(**figures: float) -> MemorySnapshot:
    return MemorySnapshot(timestamp=datetime(2026, 11, 1, tzinfo=UTC), **figures)  # type: ignore[arg-type]


def test_far_below_the_limit_it_does_not_look() -> None:
    near = NearLimit(lambda: 100.0)
    near.snapshot(snapshot(rss_mb=100, heap_size_mb=1000), 0.0)
    assert near.next_at == math.inf


def test_close_to_it_it_looks_now_and_then_and_keeps_nothing() -> None:
    near = NearLimit(lambda: 750.0)
    near.snapshot(snapshot(rss_mb=750, heap_size_mb=1000), 0.0)
    assert near.next_at == LOOK_EVERY_S
    near.step(LOOK_EVERY_S)
    assert near.take(LOOK_EVERY_S) is None


def test_near_it_each_second_is_kept_until_it_is_far_again() -> None:
    values = iter([860.0, 900.0, 300.0])
    near = NearLimit(lambda: next(values))
    near.snapshot(snapshot(rss_mb=870, heap_size_mb=1000), 0.0)
    for second in (1.0, 2.0, 3.0):
        assert near.next_at == second
        near.step(second)
    assert near.take(4.0) == ((3.0, 860.0), (2.0, 900.0))
    assert near.next_at == math.inf
    assert near.take(5.0) is None


def test_a_container_that_is_nearly_full_counts_though_the_process_is_small() -> None:
    near = NearLimit(lambda: 100.0)
    near.snapshot(snapshot(rss_mb=100, heap_size_mb=1000, cgroup_used_mb=900, cgroup_limit_mb=1000), 0.0)
    assert near.next_at == EVERY_S


@pytest.mark.parametrize("figures", [{}, {"rss_mb": 100}, {"heap_size_mb": 100}])
def test_without_figures_it_does_not_look(figures: dict[str, float]) -> None:
    near = NearLimit(lambda: None)
    near.snapshot(snapshot(**figures), 0.0)
    assert near.next_at == math.inf


def test_what_is_kept_is_bounded() -> None:
    near = NearLimit(lambda: 990.0)
    near.snapshot(snapshot(rss_mb=990, heap_size_mb=1000), 0.0)
    for second in range(1, 1000):
        near.step(float(second))
    assert len(near.take(1000.0) or ()) == KEPT


def test_a_look_at_the_heap_is_due_near_the_limit_once_an_hour_and_with_room() -> None:
    room: list[float] = []

    def has_room(needs_mb: float) -> bool:
        room.append(needs_mb)
        return len(room) > 1

    near = NearLimit(lambda: 930.0, has_room=has_room)
    near.snapshot(snapshot(rss_mb=900, heap_size_mb=1000), 0.0)
    assert not near.wants_look(0.0)
    near.step(1.0)
    assert not near.wants_look(1.0), "no room"
    assert not near.wants_look(30.0), "asked again only after a minute"
    assert near.wants_look(62.0)
    assert not near.wants_look(3000.0)
    assert near.wants_look(3700.0)
    assert len(room) == 3


def test_a_full_container_is_a_reason_to_look_at_a_small_process() -> None:
    near = NearLimit(lambda: 130.0)
    near.snapshot(snapshot(rss_mb=100, heap_size_mb=9000, cgroup_used_mb=900, cgroup_limit_mb=1000), 0.0)
    assert not near.wants_look(0.0)
    near.step(1.0)
    assert near.wants_look(1.0)


def test_each_second_is_handed_on() -> None:
    kept: list[float] = []
    near = NearLimit(lambda: 900.0, keep=kept.append)
    near.snapshot(snapshot(rss_mb=900, heap_size_mb=1000), 0.0)
    near.step(1.0)
    assert kept == [900.0]
