"""How urgent a leak is."""

import pytest

from memwatch.detection import History, judge
from memwatch.detection.severity import urgency
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


def test_an_own_limit_is_not_the_containers():
    """A limit that was set for the process counts, however full the container is."""
    found = urgency(
        history(
            10, source="setting", cgroup_used_mb=lambda _: 3990.0, cgroup_limit_mb=lambda _: 4000.0, size_mb=1000.0
        ),
        0,
    )
    assert (found.severity, found.limit_source) == ("medium", "setting")
