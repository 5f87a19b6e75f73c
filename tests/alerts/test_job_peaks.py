"""When a single job raises an alert, from values alone."""

from __future__ import annotations

import dataclasses

import pytest

from memwatch.alerts import Fleet, JobView, Place, decide
from memwatch.conf import Settings

LIMITS = Settings()
SYNC = JobView(
    service_id=1, service="worker", kind="task", name="shop.tasks.sync", rise_mb=300,
    rise_in=Place(id=2, name="worker-2 on a"), peak_mb=500, peak_in=Place(id=1, name="worker-1 on a"), limit_mb=1024,
    limit_source="cgroup",
)  # fmt: skip


def job(**values):
    return dataclasses.replace(SYNC, **values)


def found(*jobs, raised=()):
    return decide(
        Fleet(jobs=jobs, raised=dict.fromkeys((("job_peak", subject) for subject in raised), "medium")), LIMITS
    )


def severities(*jobs, **more):
    return [finding.severity for finding in found(*jobs, **more)]


def test_a_peak_far_from_the_limit_is_no_news():
    assert found(job()) == []
    assert found(job(limit_mb=None)) == []


def test_a_peak_near_the_limit_names_the_job_the_process_and_the_limit():
    (finding,) = found(job(peak_mb=940))
    assert (finding.type, finding.severity, finding.process_id) == ("job_peak", "critical", 1)
    assert finding.subject == "work:1:task:shop.tasks.sync"
    assert (round(finding.value, 1), finding.threshold) == (91.8, 90)
    assert finding.message.startswith(
        "task shop.tasks.sync in worker-1 on a: resident memory reached 940 MB of 1,024 MB (container limit) during a "
        "call, 91.8 %, critical threshold 90 %. One call rose by up to 300 MB. "
    )


def test_a_peak_over_the_warning_threshold_is_milder():
    assert severities(job(peak_mb=850)) == ["medium"]


def test_a_raised_alert_holds_until_five_percent_under_its_threshold():
    assert severities(job(peak_mb=790)) == []
    assert severities(job(peak_mb=790), raised=[SYNC.subject]) == ["medium"]
    assert severities(job(peak_mb=900), raised=[SYNC.subject]) == ["medium"]
    assert severities(job(peak_mb=770), raised=[SYNC.subject]) == []


def test_a_job_that_takes_little_is_not_blamed_for_a_process_that_is_full():
    assert found(job(peak_mb=1000, rise_mb=15)) == []
    assert found(job(peak_mb=1000, rise_mb=50)) == []
    assert severities(job(peak_mb=1000, rise_mb=52)) == ["critical"]


def test_the_others_in_a_container_count_too():
    (finding,) = found(job(container_mb=3_700, container_limit_mb=4_000))
    assert (finding.severity, finding.value) == ("critical", pytest.approx(92.5))
    assert "reached 500 MB, with the others in its container 3,700 MB of 4,000 MB during a call" in finding.message


def test_a_call_that_takes_ten_times_the_usual_is_told_of():
    (finding,) = found(job(usual_mb=20))
    assert (finding.severity, finding.process_id, finding.threshold) == ("medium", 2, None)
    assert finding.message.startswith(
        "task shop.tasks.sync in worker-2 on a: a call took 300 MB at its peak, 15 times as much as 95 % of calls do. "
        "That is 29 % of what the process may grow to. "
    )
    assert found(job(usual_mb=31)) == []
    assert found(job(usual_mb=None)) == []


def test_many_times_almost_nothing_is_no_news():
    assert found(job(usual_mb=0.1, rise_mb=255)) == []
    assert severities(job(usual_mb=0.0, rise_mb=256)) == ["medium"]


def test_a_service_raises_three_at_once_and_counts_the_others():
    jobs = [job(name=f"shop.tasks.{letter}", peak_mb=850 + index) for index, letter in enumerate("abcde")]
    findings = found(*jobs, job(service_id=2, peak_mb=850))
    assert [(finding.service_id, finding.subject[-1]) for finding in findings] == [
        (1, "e"),
        (1, "d"),
        (1, "c"),
        (2, "c"),
    ]
    assert findings[0].message.endswith(" 2 more names of this service had such a peak: see the page Work.")
    assert not any("more name" in finding.message for finding in findings[1:])


def test_what_is_raised_stays_while_others_come_and_go():
    jobs = [job(name=f"shop.tasks.{letter}", peak_mb=850 + index) for index, letter in enumerate("abcde")]
    raised = [one.subject for one in jobs[:3]]
    assert [finding.subject for finding in found(*jobs, raised=raised)] == list(reversed(raised))
    critical = job(name="shop.tasks.f", peak_mb=1000)
    assert [finding.subject[-1] for finding in found(*jobs, critical, raised=raised)] == ["f", "c", "b"]
