"""What each alert rule finds, from values alone."""

from __future__ import annotations

import dataclasses

import pytest

from memwatch.alerts import Fleet, LeakView, ProcessView, decide
from memwatch.conf import Settings

LIMITS = Settings()
WEB = ProcessView(id=1, service_id=1, service="web", host="a", slot="web-1", age_s=86_400)


def process(**values):
    return dataclasses.replace(WEB, **values)


def heap(percent, **values):
    return process(heap_used_mb=percent * 20.48, heap_size_mb=2048, heap_limit_source="cgroup", **values)


def types(fleet):
    return [(finding.type, finding.severity) for finding in decide(fleet, LIMITS)]


def test_a_heap_under_the_warning_threshold_is_no_news():
    assert types(Fleet(processes=(heap(79.9),))) == []


def test_a_heap_over_a_threshold_says_value_limit_and_threshold():
    (finding,) = decide(Fleet(processes=(heap(93.1),)), LIMITS)
    assert finding.type == "heap_critical"
    assert finding.message.startswith(
        "web-1 on a: heap at 93.1 % of 2048 MB (container limit), critical threshold 90 %. "
    )


def test_critical_takes_the_place_of_the_warning():
    assert types(Fleet(processes=(heap(85),))) == [("heap_warning", "medium")]
    assert types(Fleet(processes=(heap(95),))) == [("heap_critical", "critical")]


def test_a_raised_alert_holds_until_five_percent_under_its_threshold():
    raised = {("heap_warning", "process:1"): "medium"}
    assert types(Fleet(processes=(heap(76.5),), raised=raised)) == [("heap_warning", "medium")]
    assert types(Fleet(processes=(heap(75.5),), raised=raised)) == []


def test_one_container_is_said_once_for_all_its_workers():
    members = tuple(
        process(id=i, slot=f"web-{i}", cgroup_used_mb=950, cgroup_limit_mb=1000, rss_mb=100 * i) for i in range(1, 6)
    )
    (finding,) = decide(Fleet(processes=members), LIMITS)
    assert (finding.type, finding.severity, finding.process_id) == ("container_critical", "critical", None)
    assert "web-1, web-2, web-3 and 2 more on a: container at 95.0 % of 1000 MB" in finding.message
    assert "largest process is web-5" in finding.message


def test_a_floor_that_rises_for_half_an_hour_is_a_growth_rate():
    (finding,) = decide(Fleet(processes=(process(floors_mb=(100, 110, 120, 130)),)), LIMITS)
    assert finding.type == "growth_rate"
    assert finding.value == pytest.approx(40)
    assert "100 MB to 130 MB in 45 minutes" in finding.message


@pytest.mark.parametrize(
    ("case", "floors", "age_s"),
    [
        ("a saw-tooth's floor is flat", (100, 100, 100, 100), 86_400),
        ("a step is over", (100, 130, 130, 130), 86_400),
        ("a warm-up", (100, 110, 120, 130), 900),
        ("a demo of a few minutes", (None, None, None, 130), 240),
        ("floors with a hole", (100, None, 120, 130), 86_400),
        ("a few megabytes", (20, 21, 22, 23), 86_400),
        ("memory given back", (130, 120, 110, 100), 86_400),
    ],
)
def test_growth_that_is_none_raises_nothing(case, floors, age_s):
    assert types(Fleet(processes=(process(floors_mb=floors, age_s=age_s),))) == [], case


def test_a_gc_spike_is_told_from_the_process_own_average():
    assert types(Fleet(processes=(process(gc_rate=1.0, gc_average=0.3),))) == [("gc_spike", "medium")]
    assert types(Fleet(processes=(process(gc_rate=0.5, gc_average=0.3),))) == []
    assert types(Fleet(processes=(process(gc_rate=0.15, gc_average=0.01),))) == []
    assert types(Fleet(processes=(process(gc_rate=1.0, gc_average=None),))) == []


def test_a_drift_counts_when_it_is_large_in_percent_and_in_megabytes():
    assert types(Fleet(processes=(process(heap_used_mb=46, drift_percent=53),))) == []
    assert types(Fleet(processes=(process(heap_used_mb=160, drift_percent=60),))) == [("baseline_drift", "medium")]
    assert types(Fleet(processes=(process(heap_used_mb=210, drift_percent=110),))) == [("baseline_drift", "critical")]


def test_a_drift_that_came_back_within_half_an_hour_is_no_drift():
    peak = process(heap_used_mb=210, drift_percent=110, floors_mb=(100, 100, 101, 102))
    assert types(Fleet(processes=(peak,))) == []
    assert types(Fleet(processes=(process(heap_used_mb=210, drift_percent=110, age_s=300),))) == []


def test_each_active_leak_has_its_alert():
    leak = LeakView(
        id=7, kind="objects", service_id=1, service="web", process_id=1, host="a", slot="web-1",
        object_type="shop.Quote", severity="high", sentence="leak: grows steadily.",
        growth_count=12_000, growth_percent=300.0,
    )  # fmt: skip
    (finding,) = decide(Fleet(leaks=(leak,)), LIMITS)
    assert (finding.type, finding.severity, finding.leak_id) == ("leak", "high", 7)
    assert "web-1 on a: shop.Quote leaks" in finding.message
    assert "grown by 12,000 (300 %)" in finding.message


def leak(number, **values):
    given = {
        "id": number, "kind": "objects", "service_id": 1, "service": "web", "process_id": number, "host": "a",
        "slot": f"web-{number}", "object_type": "shop.Quote", "severity": "medium", "sentence": "grows.",
        "growth_count": 100 * number, "growth_percent": 10.0 * number,
    }  # fmt: skip
    return LeakView(**{**given, **values})


def test_a_type_that_leaks_in_several_processes_is_one_finding_that_tells_of_the_worst():
    leaks = (leak(1), leak(2, severity="high", time_to_exhaustion_s=90_000.0), leak(3, severity="high"))
    (finding,) = decide(Fleet(leaks=leaks), LIMITS)
    assert (finding.severity, finding.value, finding.leak_id, finding.process_id) == ("high", 20.0, 2, None)
    assert (finding.processes, finding.leak_ids) == (3, (1, 2, 3))
    assert finding.message.startswith(
        "service web: shop.Quote leaks in 3 processes, high severity, grown by 200 (20 %) in web-2 on a. grows. "
    )


@pytest.mark.parametrize(("kind", "what"), [("untracked", "memory in untracked objects"), ("native", "native memory")])
def test_a_leak_without_a_type_is_named_in_words_and_its_growth_has_no_bare_number(kind: str, what: str):
    (finding,) = decide(Fleet(leaks=(leak(1, kind=kind, object_type=kind, growth_count=1_245),)), LIMITS)
    assert finding.message.startswith(f"web-1 on a: {what} leaks, medium severity, grown by 10 %. grows. ")


def test_the_message_of_a_leak_says_which_job_makes_it_grow():
    said = "Every request, whatever its view: 1.00 objects a call (0.99 to 1.01), explains 97 % of the growth."
    (finding,) = decide(Fleet(leaks=(leak(1, work=said),)), LIMITS)
    assert f" grows. {said} Open the leak" in finding.message
    (finding,) = decide(Fleet(leaks=(leak(1, work="a name " * 1_000),)), LIMITS)
    assert len(finding.message) < 800


def test_a_leak_of_the_whole_service_counts_no_processes():
    (finding,) = decide(Fleet(leaks=(leak(1, process_id=None, host=None, slot=None), leak(2))), LIMITS)
    assert finding.processes is None
    assert finding.message.startswith("service web: shop.Quote leaks, medium severity")


def test_unknown_figures_raise_nothing():
    assert decide(Fleet(processes=(WEB,)), LIMITS) == []
