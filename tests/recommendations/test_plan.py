"""How many jobs a worker may do, and when there is no such number."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from memwatch.recommendations import plan as plans
from memwatch.recommendations.facts import HOST, PROCESS, Life, Peaks, Service
from memwatch.recommendations.plan import Plan
from tests.recommendations.lives import life, service


def plan(of: Service | None = None, **of_lives: Any) -> Plan:
    return plans.plan(of or service(**of_lives), 0.8)


def test_all_workers_together_reach_the_target_at_the_recommended_number() -> None:
    """800 MB less two of 100 MB, less peaks of 11 and 1 MB, by 2 * 50 KiB a job: 6,000 jobs without any spread."""
    found = plan(spread=0.0, noise_mb=0.01)
    assert found.state == plans.RECYCLE
    assert found.jobs == pytest.approx(6000, rel=0.03)


def test_a_wider_spread_asks_for_shorter_lives() -> None:
    narrow, wide = plan(spread=0.02), plan(spread=0.4)
    assert narrow.jobs is not None
    assert wide.jobs is not None
    assert wide.jobs < 0.85 * narrow.jobs
    assert wide.jobs_low is not None
    assert wide.jobs_high is not None
    assert wide.jobs_low < wide.jobs < wide.jobs_high


def test_shared_memory_is_counted_once() -> None:
    alone = plan(service(base_mb=500.0, parts={"workers": 4}))
    shared = plan(service(base_mb=500.0, shared_mb=450.0, parts={"workers": 4, "parent_mb": 460.0}))
    assert alone.state == plans.IMPOSSIBLE
    assert shared.state == plans.RECYCLE
    assert shared.fixed_mb == 460.0


def test_memory_of_others_leaves_less() -> None:
    few = plan(service(parts={"others_mb": 400.0}))
    assert few.jobs is not None
    assert few.jobs < 0.4 * (plan().jobs or 0)


def test_services_below_one_limit_get_equal_parts_of_what_is_left() -> None:
    alone, shared = plan(), plan(service(parts={"sharers": 2}))
    assert alone.jobs is not None
    assert shared.jobs == pytest.approx(alone.jobs / 2, rel=0.05)


def test_a_limit_of_each_process_is_not_shared() -> None:
    found = plan(service(parts={"limit_of": PROCESS, "limit_mb": 500.0, "workers": 30}))
    assert (found.counted, found.most_workers) == (1, None)
    assert found.jobs == pytest.approx(5300, rel=0.1)


def test_without_growth_no_recycling_is_needed() -> None:
    found = plan(kib_per_job=0.0)
    assert (found.state, found.jobs) == (plans.NOT_NEEDED, None)
    assert found.most_workers == 7


def test_growth_so_slow_that_a_deploy_comes_before_needs_none_either() -> None:
    assert plan(kib_per_job=0.5, noise_mb=0.001, hours=24.0).state == plans.NOT_NEEDED


def test_noise_that_may_hide_fast_growth_is_not_known_yet() -> None:
    found = plan(kib_per_job=0.0, noise_mb=30.0, lives=4, hours=0.2)
    assert found.state == plans.UNKNOWN
    assert "longer lives" in found.missing


@pytest.mark.parametrize(
    ("lives", "missing"),
    [
        ((), "no worker has reported"),
        ((life(points=5),) * 5, "0 of 3 lives with at least 6 figures each"),
        ((life(1), life(2, points=30)), ""),
        ((life(1, points=30), life(2, points=30)), "2 of 3 lives"),
        ((life(1, points=60),), ""),
        ((life(1, points=60, hours=0.1),), "the oldest has run for 6 minutes"),
        (tuple(life(number, hours=0.1, end_reason="recycled") for number in range(3)), ""),
    ],
)
def test_what_is_missing_is_said(lives: tuple[Life, ...], missing: str) -> None:
    found = plan(dataclasses.replace(service(), lives=lives))
    assert (found.state == plans.UNKNOWN) == bool(missing)
    assert missing in found.missing


def test_a_limit_below_the_need_of_fresh_workers_is_a_contradiction() -> None:
    found = plan(service(parts={"limit_mb": 230.0}))
    assert (found.state, found.jobs, found.most_workers) == (plans.IMPOSSIBLE, None, 1)


def test_a_leak_that_allows_ten_jobs_is_one_too() -> None:
    assert plan(kib_per_job=60_000.0, jobs=5).state == plans.IMPOSSIBLE


def test_lives_are_not_made_ten_times_longer_than_any_that_was_seen() -> None:
    found = plan(jobs=100, hours=0.5)
    assert (found.jobs, found.capped) == (1000, True)


def test_of_a_new_release_its_own_lives_count() -> None:
    old = [life(number, kib_per_job=200.0, release="1.0") for number in range(6)]
    new = [life(10 + number, kib_per_job=20.0, release="1.1") for number in range(3)]
    both = dataclasses.replace(service(), lives=(*old, *new))
    assert {each.life.release for each in plan(both).fits} == {"1.1"}
    few = dataclasses.replace(service(), lives=(*old, *new[:2]))
    assert {each.life.release for each in plan(few).fits} == {"1.0", "1.1"}


def test_threads_have_their_peaks_at_once() -> None:
    peaks = Peaks(calls=100, typical_mb=20.0, highest_mb=100.0)
    one = plan(service(parts={"peaks": peaks}))
    four = plan(service(parts={"peaks": peaks, "current": {"threads": 4}}))
    assert four.peak_mb - one.peak_mb == pytest.approx(3 * 20 + 3 * 20)


def test_without_measured_peaks_the_highest_figure_counts() -> None:
    found = plan(service(noise_mb=5.0, parts={"peaks": None}))
    assert 5 < found.highest_mb < 60


def test_without_a_limit_growth_has_no_number() -> None:
    found = plan(service(parts={"limit_mb": None}))
    assert (found.state, found.missing) == (plans.UNKNOWN, plans.NO_LIMIT)
    assert plan(service(kib_per_job=0.0, parts={"limit_mb": None})).state == plans.NOT_NEEDED


def test_a_process_without_jobs_has_no_number_of_them() -> None:
    found = plan(jobs=0, mb_per_hour=50.0)
    assert (found.state, found.jobs, found.by_time) == (plans.RECYCLE, None, True)


def test_a_machine_is_a_limit_as_well() -> None:
    assert plan(service(parts={"limit_of": HOST})).jobs == plan().jobs


@pytest.mark.parametrize(("value", "rounded"), [(7, 7), (99, 99), (123, 120), (98_765, 98_000), (0.5, 0)])
def test_numbers_are_rounded_down(value: float, rounded: int) -> None:
    assert plans.rounded_down(value) == rounded
