"""How often a census is affordable."""

from __future__ import annotations

import itertools

from memwatch.sampling.budget import Budget


def taken(*, cpu_ms: float, pause_ms: float, interval_s: float, seconds: float) -> list[float]:
    """The times of the censuses that the budget allows."""
    budget = Budget(cpu_share=0.005, pause_ms=50.0)
    times, now = [], 0.0
    while now < seconds:
        budget.earn(now)
        if budget.allows():
            times.append(now)
            budget.charge(cpu_ms=cpu_ms, pause_ms=pause_ms)
        now += interval_s
    return times


def test_a_small_heap_is_counted_with_every_snapshot() -> None:
    assert len(taken(cpu_ms=8, pause_ms=5, interval_s=2, seconds=3600)) == 1800


def test_a_young_process_is_counted_closely_for_two_minutes() -> None:
    times = taken(cpu_ms=20, pause_ms=15, interval_s=2, seconds=3600)
    assert [time for time in times if time < 120] == list(range(0, 120, 2))


def test_the_share_of_cpu_holds_in_the_long_run() -> None:
    times = taken(cpu_ms=300, pause_ms=50, interval_s=2, seconds=36_000)
    assert len(times) * 0.3 <= 36_000 * 0.005 + 1.3


def test_a_million_scattered_objects_are_counted_every_minute() -> None:
    times = taken(cpu_ms=150, pause_ms=1, interval_s=60, seconds=36_000)
    assert times == list(range(0, 36_000, 60))


def test_a_pause_within_its_budget_costs_nothing_but_its_cpu() -> None:
    assert taken(cpu_ms=20, pause_ms=50, interval_s=4, seconds=3600) == list(range(0, 3600, 4))


def test_a_long_pause_makes_the_census_rarer_in_proportion() -> None:
    times = taken(cpu_ms=20, pause_ms=200, interval_s=4, seconds=3600)
    assert times == list(range(0, 3600, 40))  # four times the budget: every forty seconds instead of ten


def test_even_a_huge_heap_is_counted_every_ten_minutes() -> None:
    times = taken(cpu_ms=20_000, pause_ms=15_000, interval_s=60, seconds=7200)
    assert max(late - early for early, late in itertools.pairwise(times)) <= 720


def test_a_clock_that_stands_still_or_goes_back_earns_nothing() -> None:
    budget = Budget(cpu_share=0.005, pause_ms=50.0)
    budget.earn(100.0)
    budget.charge(cpu_ms=1500, pause_ms=1)
    budget.earn(50.0)
    assert not budget.allows()
