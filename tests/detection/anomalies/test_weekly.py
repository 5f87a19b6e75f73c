"""A service is compared with the same hour of its weeks before, whatever happened in between."""

from __future__ import annotations

import math
from collections.abc import Callable

from memwatch.detection.anomalies.consensus import WEEKLY, Memory
from memwatch.detection.anomalies.passes import step
from memwatch.detection.anomalies.weekly import DAY, WEEK, Hour, judge, of_workers, with_differences

MONDAY = 490_992
OLD = 100 * 3600.0

Course = Callable[[int], float | None]
"""MB of RSS by the hour; ``None`` without data."""


def usual(hour: int, shift: int = 0) -> float:
    """A daily curve, flat at weekends, and a little noise."""
    clock = hour + shift
    busy = 0.0 if clock // 24 % 7 >= 5 else 60 * (1 - math.cos(2 * math.pi * clock / 24))
    return 200 + busy + (hour * 7919 % 13 - 6) / 3


def said(course: Course, weeks: float, *, age_s: Callable[[int], float] = lambda _hour: OLD) -> list[int]:
    """The hours in which the service was called unusual."""
    history: dict[int, Hour] = {}
    memories: dict[int, Memory] = {}
    found = []
    for hour in range(int(weeks * WEEK)):
        rss = course(hour)
        if rss is None:
            continue
        number = MONDAY + hour
        values = {"rss": rss, "heap": 0.7 * rss, "objects": 4_000 * rss}
        seen = with_differences(number, values, age_s(hour), history)
        since = memories[0].since if 0 in memories and memories[0].told else {}
        unlike = judge(seen, history, unusual_since=int(min(since.values()) // 3600) if since else None)
        history[number] = seen
        if unlike is not None:
            passed = step({0: unlike}, memories, (number + 1) * 3600.0, WEEKLY)
            memories = dict(passed.memories)
            if passed.findings:
                found.append(hour)
    return found


def test_a_night_like_a_noon_is_unusual() -> None:
    night = 2 * WEEK + 2 * DAY

    def course(hour: int) -> float:
        return usual(hour) + (110 if night <= hour < night + 8 else 0)

    found = said(course, 3)
    assert found
    assert night < found[0] <= night + 4
    assert found[-1] <= night + 12


def test_its_usual_days_and_weekends_are_not() -> None:
    assert said(usual, 4) == []


def test_a_slow_trend_is_not() -> None:
    assert said(lambda hour: usual(hour) * (1 + 0.05 * hour / WEEK), 5) == []


def test_a_week_without_data_is_passed_over() -> None:
    assert said(lambda hour: None if WEEK <= hour < 2 * WEEK else usual(hour), 4) == []


def test_a_clock_change_is_not_unusual() -> None:
    for shift in (1, -1):
        assert said(lambda hour, by=shift: usual(hour, by if hour >= 2 * WEEK + 60 else 0), 4) == []


def test_nothing_is_said_in_the_first_days() -> None:
    assert said(lambda hour: usual(hour) + (300 if hour > 20 else 0), 0.4) == []


def test_workers_that_grow_to_their_size_after_each_deploy_are_usual() -> None:
    deploys = (WEEK + 30, WEEK + 100, 2 * WEEK + 30, 3 * WEEK + 90)

    def age_h(hour: int) -> float:
        return min(hour - deploy for deploy in (-100, *deploys) if deploy <= hour)

    def course(hour: int) -> float:
        return usual(hour) - 90 * math.exp(-age_h(hour) / 6)

    assert said(course, 4, age_s=lambda hour: 1_800 + 3600 * age_h(hour)) == []


def test_a_deploy_that_takes_more_is_told_within_a_day_and_becomes_usual_later() -> None:
    deploy = 2 * WEEK + 30
    found = said(lambda hour: usual(hour) * (1.45 if hour >= deploy else 1), 5)
    assert deploy < found[0] < deploy + DAY
    assert found[-1] < deploy + 2 * DAY


def test_an_hour_is_the_median_of_its_workers() -> None:
    assert of_workers([{"rss": 1.0}, {"rss": 2.0, "heap": 5.0}, {"rss": 900.0}]) == {"rss": 2.0, "heap": 5.0}
    assert of_workers([]) == {}
