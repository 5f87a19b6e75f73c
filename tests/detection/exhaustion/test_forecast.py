"""When memory ends is said as an interval, and not at all where no end is in sight."""

from __future__ import annotations

import math
import random

import pytest

from memwatch.detection.exhaustion.forecast import forecast

HOURS = [float(hour) for hour in range(96)]


def growing(noise: float, *, daily: float = 0.0) -> list[float]:
    rng = random.Random(3)
    return [
        500 + 2 * hour + rng.gauss(0, noise) + daily * (1 - math.cos(2 * math.pi * hour / 24)) for hour in HOURS
    ]  # fmt: skip


def test_the_end_lies_within_the_interval() -> None:
    found = forecast(HOURS, growing(3), 800)
    assert found is not None
    assert found.latest_h is not None
    assert found.earliest_h < 55 < found.latest_h
    assert found.earliest_h <= found.likely_h <= found.latest_h


def test_more_noise_makes_it_wider() -> None:
    sure, unsure = forecast(HOURS, growing(1), 900), forecast(HOURS, growing(40), 900)
    assert sure is not None
    assert unsure is not None
    assert sure.latest_h is not None
    assert unsure.latest_h is None or unsure.latest_h - unsure.earliest_h > 2 * (sure.latest_h - sure.earliest_h)


def test_a_daily_curve_reaches_the_limit_at_its_noon() -> None:
    found = forecast(HOURS, growing(1, daily=60), 860)
    assert found is not None
    assert (HOURS[-1] + found.likely_h) % 24 == pytest.approx(12, abs=5)


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        ([500.0] * 96, 800.0),
        ([500 - hour for hour in HOURS], 800.0),
        (growing(3), 0.0),
        (growing(3), 1e9),
        ([900.0] * 96, 800.0),
        (growing(3)[:10], 800.0),
    ],
)
def test_nothing_is_said_without_an_end_in_sight(values: list[float], limit: float) -> None:
    assert forecast(HOURS[: len(values)], values, limit) is None


def test_holes_are_no_obstacle() -> None:
    values = growing(3)
    chosen = [number for number in range(96) if not 30 <= number < 60]
    found = forecast([HOURS[n] for n in chosen], [values[n] for n in chosen], 800)
    assert found is not None
    assert found.latest_h is not None
    assert found.earliest_h < 55 < found.latest_h
