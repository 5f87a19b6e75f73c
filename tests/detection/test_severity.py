"""How urgent a leak is."""

import pytest

from memwatch.detection import History, judge
from memwatch.detection.severity import LEAK_BOUNDS, Urgency, leak_severity, urgency
from tests.detection.builders import snapshot


def history(rss_per_hour, *, size_mb=1000.0, source="rlimit", points=60, **figures):
    given = [
        snapshot(
            i,
            rss_mb=200 + rss_per_hour * i / 60,
            heap_size_mb=size_mb,
            heap_limit_source=source,
            **{name: level(i) for name, level in figures.items()},
        )
        for i in range(points)
    ]
    return History.from_snapshots(given)


@pytest.mark.parametrize(
    ("rss_per_hour", "severity"), [(400, "critical"), (100, "high"), (10, "medium"), (1, "low"), (0, "low")]
)
def test_severity_goes_by_time_to_exhaustion_of_the_processs_own_limit(rss_per_hour, severity):
    assert urgency(history(rss_per_hour), 1000).severity == severity


def test_time_to_exhaustion_is_what_is_left_over_the_slope():
    found = urgency(history(100), 0)
    assert found.time_to_exhaustion_s == pytest.approx((1000 - 298.3) / 100 * 3600, rel=0.02)
    assert found.limit_source == "rlimit"


def test_workers_that_share_a_container_are_judged_by_the_container():
    found = urgency(
        history(
            1, source="cgroup", cgroup_used_mb=lambda i: 3000 + 10 * i, cgroup_limit_mb=lambda _: 4000.0, size_mb=4000.0
        ),
        0,
    )
    assert found.time_to_exhaustion_s == pytest.approx((4000 - 3590) / 10 * 60, rel=0.02)
    assert found.severity == "critical"


def test_a_large_host_does_not_make_fast_growth_mild():
    assert urgency(history(100, size_mb=256 * 1024, source="host"), 0).severity == "high"


def test_a_day_of_the_hosts_memory_is_not_critical_however_fast_it_grows():
    found = urgency(history(200, size_mb=200 + 25 * 200, source="host"), 0)
    assert found.floor_growth_percent_per_hour > 50
    assert found.time_to_exhaustion_s == pytest.approx(24 * 3600, rel=0.05)
    assert found.severity == "high"
    assert urgency(history(200, size_mb=900, source="host"), 0).severity == "critical"


def test_counts_alone_are_never_critical():
    given = [snapshot(i, {"app.Thing": 10 + 1000 * i}) for i in range(60)]
    (found,) = judge(History.from_snapshots(given))
    assert found.is_leak
    assert found.severity == "high"


def test_flat_memory_is_low_whatever_the_count():
    given = [snapshot(i, {"app.Thing": 10 + 1000 * i}, rss_mb=200.0 + i % 2) for i in range(60)]
    (found,) = judge(History.from_snapshots(given))
    assert found.severity == "low"


def test_low_confidence_is_at_most_medium():
    given = [snapshot(i, {"app.Thing": 10 + 1000 * i}, rss_mb=200.0 + 50 * i) for i in range(6)]
    (found,) = judge(History.from_snapshots(given))
    assert (found.confidence, found.severity) == ("low", "medium")


def test_a_container_that_others_fill_makes_no_process_critical_that_stands_still():
    found = urgency(
        history(
            0, source="cgroup", cgroup_used_mb=lambda i: 3000 + 10 * i, cgroup_limit_mb=lambda _: 4000.0, size_mb=4000.0
        ),
        0,
    )
    assert (found.severity, found.limit_source) == ("high", "cgroup")


def test_heap_that_fills_what_is_resident_already_is_not_critical():
    found = urgency(history(0, size_mb=1e6, source="host", heap_used_mb=lambda i: 50 + 2 * i), 0)
    assert found.severity == "high"


HOURS = 3600.0


def ends_in(hours, share=0.5, **values):
    return Urgency("critical", hours * HOURS, "rlimit", limit_share=share, **values)


@pytest.mark.parametrize(
    ("hours", "share", "severity"),
    [
        (3.9, 0.05, "critical"), (4.1, 0.79, "high"), (4.1, 0.8, "critical"), (23.9, 0.95, "critical"),
        (23.9, 0.5, "high"), (24.1, 0.95, "medium"), (120, 0.95, "medium"), (170, 0.99, "low"),
    ],
)  # fmt: skip
def test_the_time_that_is_left_and_the_share_of_the_limit_decide_how_severe_a_leak_is(hours, share, severity):
    assert leak_severity(ends_in(hours, share)) == severity


def test_the_bounds_go_from_the_worst_to_the_mildest_and_critical_is_hours_not_days():
    assert [bound.severity for bound in LEAK_BOUNDS] == ["critical", "critical", "high", "medium"]
    assert all(bound.within_s <= 24 * HOURS for bound in LEAK_BOUNDS if bound.severity == "critical")


@pytest.mark.parametrize("source", ["host", None])
def test_growth_alone_is_never_critical_for_a_leak(source):
    found = urgency(history(200, source=source, size_mb=None if source is None else 200 + 120 * 200), 0)
    assert found.floor_growth_percent_per_hour > 50
    assert leak_severity(found) == "high"


def test_fast_growth_is_as_before_where_nothing_is_known_of_a_limit():
    assert urgency(history(200, source=None, size_mb=None), 0).severity == "critical"


def test_a_leak_that_does_not_grow_resident_memory_is_not_critical():
    assert leak_severity(ends_in(1, resident_rises=False)) == "high"


def test_of_a_count_without_memory_growth_decides():
    found = Urgency("high", count_growth_percent=600.0)
    assert leak_severity(found) == "high"


@pytest.mark.parametrize(
    ("before", "hours", "share", "severity"),
    [
        ("critical", 4.9, 0.1, "critical"), ("critical", 5.1, 0.1, "high"),
        ("critical", 12, 0.76, "critical"), ("critical", 12, 0.74, "high"),
        ("high", 29, 0.1, "high"), ("high", 31, 0.1, "medium"),
        ("high", 4.9, 0.1, "high"), ("medium", 200, 0.1, "medium"), ("medium", 220, 0.1, "low"),
    ],
)  # fmt: skip
def test_a_severity_falls_when_the_outlook_is_clearly_better(before, hours, share, severity):
    assert leak_severity(ends_in(hours, share), before=before) == severity


def test_an_outlook_that_dances_on_a_bound_rises_once():
    severity, rises = "low", 0
    for hours in (4.2, 3.9, 4.3, 3.8, 4.5, 3.9, 4.9, 3.99):
        now = leak_severity(ends_in(hours, 0.1), before=severity)
        rises += (severity, now) == ("high", "critical")
        severity = now
    assert (severity, rises) == ("critical", 1)


def test_the_share_of_the_limit_is_that_of_the_process_or_of_its_container():
    assert urgency(history(100), 0).limit_share == pytest.approx(0.298, abs=0.01)
    container = history(
        1, source="cgroup", cgroup_used_mb=lambda _: 3600.0, cgroup_limit_mb=lambda _: 4000.0, size_mb=4000.0
    )
    assert urgency(container, 0).limit_share == pytest.approx(0.9)


def test_a_verdict_of_low_confidence_is_a_leak_of_medium_severity_at_most():
    given = [snapshot(i, {"app.Thing": 10 + 1000 * i}, rss_mb=200.0 + 50 * i) for i in range(6)]
    (found,) = judge(History.from_snapshots(given))
    assert (found.confidence, found.watched_severity()) == ("low", "medium")


def test_an_own_limit_is_not_the_containers():
    """A limit that was set for the process counts, however full the container is."""
    found = urgency(
        history(
            10, source="setting", cgroup_used_mb=lambda _: 3990.0, cgroup_limit_mb=lambda _: 4000.0, size_mb=1000.0
        ),
        0,
    )
    assert (found.severity, found.limit_source) == ("medium", "setting")
