"""From the points of a life to base, growth and sharing."""

from __future__ import annotations

import dataclasses

import pytest

from memwatch.recommendations import fitting
from memwatch.recommendations.facts import Life, Point
from tests.recommendations.lives import life


def fit(one: Life) -> fitting.Fit:
    found = fitting.fit(one)
    assert found is not None
    return found


def test_growth_is_that_after_the_warm_up() -> None:
    found = fit(life(warm_mb=200.0, kib_per_job=50.0))
    assert found.per_job.slope * 1024 == pytest.approx(50, rel=0.05)
    assert found.base_mb == pytest.approx(300, abs=3)
    assert found.jobs_per_hour == pytest.approx(500)


def test_figures_during_jobs_do_not_pass_for_growth() -> None:
    one = life(kib_per_job=20.0)
    busy = [
        point._replace(rss_mb=point.rss_mb + (300.0 if number % 3 == 0 else 0.0))
        for number, point in enumerate(one.points)
    ]
    found = fit(dataclasses.replace(one, points=tuple(busy)))
    assert found.per_job.slope * 1024 == pytest.approx(20, rel=0.1)
    assert found.base_mb == pytest.approx(100, abs=2)


def test_shared_pages_are_the_difference_of_rss_and_private_memory() -> None:
    found = fit(life(base_mb=500.0, shared_mb=400.0))
    assert found.shared_mb == pytest.approx(400)
    assert found.base(by_time=False) == pytest.approx(100, abs=2)


def test_a_life_with_few_figures_says_nothing() -> None:
    assert fitting.fit(life(points=5)) is None
    assert fitting.fit(Life(started_s=0, lifetime_s=0, points=())) is None


def test_a_worker_whose_clock_and_jobs_stand_still_is_no_obstacle() -> None:
    points = tuple(Point(0.0, 0.0, 100.0) for _ in range(20))
    found = fit(Life(started_s=0, lifetime_s=0, points=points))
    assert (found.per_job.slope, found.per_hour.slope, found.jobs_per_hour) == (0, 0, 0)


def test_lives_together_say_whether_memory_grows() -> None:
    assert fitting.grows([fit(life(number)) for number in range(3)])
    assert not fitting.grows([fit(life(number, kib_per_job=0.0, noise_mb=3.0)) for number in range(10)])


def test_growth_by_the_hour_is_distinguished_from_growth_by_the_job() -> None:
    by_time = [fit(life(n, kib_per_job=0, mb_per_hour=20, jobs=200 + 300 * (n % 4))) for n in range(8)]
    by_jobs = [fit(life(n, kib_per_job=50, jobs=200 + 300 * (n % 4))) for n in range(8)]
    assert fitting.grows_with_time(by_time)
    assert not fitting.grows_with_time(by_jobs)
