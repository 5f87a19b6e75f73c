"""What the profiler of one process raises alerts about."""

from __future__ import annotations

from datetime import UTC, datetime

from memwatch.profiler.alerts import gc_finding, growth_finding, heap_finding
from memwatch.records import MemorySnapshot

MINUTE = 60.0


def heap(percent: float | None) -> MemorySnapshot:
    return MemorySnapshot(
        timestamp=datetime.now(UTC), heap_percent=percent, heap_size_mb=1000.0, heap_limit_source="cgroup"
    )


def test_a_heap_near_its_limit_is_a_warning_then_critical() -> None:
    assert heap_finding(heap(79.9), warning=80, critical=90) is None
    warning = heap_finding(heap(80.0), warning=80, critical=90)
    critical = heap_finding(heap(95.0), warning=80, critical=90)
    assert warning is not None
    assert critical is not None
    assert (warning.type, warning.severity, warning.threshold) == ("heap_warning", "medium", 80)
    assert (critical.type, critical.severity, critical.value) == ("heap_critical", "critical", 95.0)
    assert "95.0 % of 1000 MB (cgroup)" in critical.message


def test_a_raised_heap_alert_is_held_a_little_below_its_threshold() -> None:
    assert heap_finding(heap(77), warning=80, critical=90, raised=["heap_warning"]) is not None
    assert heap_finding(heap(75), warning=80, critical=90, raised=["heap_warning"]) is None
    assert heap_finding(heap(None), warning=80, critical=90) is None


def test_steady_growth_is_told_in_percent_an_hour() -> None:
    growing = [(minute * MINUTE, 100 + minute * 0.5) for minute in range(60)]
    found = growth_finding(growing, threshold=10)
    assert found is not None
    assert found.type == "growth_rate"
    assert 25 < found.value < 35
    assert growth_finding(growing, threshold=50) is None


def test_a_step_a_saw_tooth_and_a_short_history_are_no_growth() -> None:
    step = [(minute * MINUTE, 100.0 if minute < 20 else 200.0) for minute in range(60)]
    saw = [(minute * MINUTE, 100.0 + minute % 10 * 8) for minute in range(60)]
    short = [(minute * MINUTE, 100.0 + minute * 5) for minute in range(20)]
    assert [growth_finding(series, threshold=10) for series in (step, saw, short, [])] == [None] * 4


def test_only_the_last_hour_counts() -> None:
    over = [(minute * MINUTE, min(100.0 + minute, 160.0)) for minute in range(180)]
    assert growth_finding(over, threshold=10) is None


def test_a_collector_gone_wild_is_a_spike() -> None:
    calm = [(float(second), second * 0.1) for second in range(0, 1800, 10)]
    wild = [*calm, *((1800.0 + second, 180 + second * 2.0) for second in range(0, 300, 10))]
    found = gc_finding(wild, multiplier=2.0)
    assert found is not None
    assert (found.type, found.severity) == ("gc_spike", "medium")
    assert found.value > 1.5
    assert gc_finding(calm, multiplier=2.0) is None
    assert gc_finding(wild, multiplier=50.0) is None


def test_a_spike_from_next_to_nothing_is_no_news() -> None:
    idle = [(float(second), 0.0) for second in range(0, 1800, 10)]
    little = [*idle, *((1800.0 + second, second * 0.1) for second in range(0, 300, 10))]
    assert gc_finding(little, multiplier=2.0) is None
    assert gc_finding([], multiplier=2.0) is None
    assert gc_finding(little[-10:], multiplier=2.0) is None
