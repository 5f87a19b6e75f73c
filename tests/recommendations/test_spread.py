"""Upper bounds, checked against what random draws do."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from memwatch.recommendations.spread import CAREFUL, EVEN, lower, upper, upper_mean, upper_sum


@pytest.mark.parametrize("lives", [5, 10, 40])
@pytest.mark.parametrize("workers", [1, 4, 16])
def test_in_nineteen_of_twenty_cases_the_sum_stays_below(lives: int, workers: int) -> None:
    chance, held = random.Random(lives * 100 + workers), 0
    for _ in range(2000):
        known = [chance.gauss(100, 10) for _ in range(lives)]
        held += sum(chance.gauss(100, 10) for _ in range(workers)) <= upper_sum(known, workers)
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_more_confidence_asks_for_more() -> None:
    known = [90.0, 100.0, 110.0, 104.0]
    assert upper(known, EVEN) == fmean(known) < upper_mean(known) < upper(known) < upper(known, CAREFUL)
    assert lower(known) < min(known)
    assert lower([1.0, 100.0]) > 0


def test_of_one_value_nothing_more_is_known() -> None:
    assert (upper([7.0]), upper_sum([7.0], 3), lower([7.0])) == (7, 21, 7)
