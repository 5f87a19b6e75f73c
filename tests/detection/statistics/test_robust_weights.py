"""How much each point counts."""

from random import Random

import pytest

from memwatch.detection.statistics.robust_weights import weighed


def test_an_outlier_is_drawn_in_and_its_neighbours_stay():
    random = Random(2)
    values = [100 + i + random.gauss(0, 1) for i in range(40)]
    values[20] += 80
    tamed, (weights,) = weighed([float(i) for i in range(40)], values)
    assert tamed[20] < 130
    assert tamed[10] == pytest.approx(values[10], abs=2)
    assert sum(weights) == pytest.approx(40)


def test_noise_that_grows_with_the_level_counts_for_less_there():
    random = Random(3)
    values = [level * (1 + random.gauss(0, 0.1)) for level in range(100, 1100, 10)]
    _, (weights,) = weighed([float(i) for i in range(100)], values)
    assert weights[5] > 4 * weights[-5]


def test_few_points_are_left_as_they_are_and_weighed_both_ways():
    values = [100.0, 200.0, 300.0, 900.0, 500.0, 600.0, 700.0, 800.0]
    same, (alike, by_level) = weighed([float(i) for i in range(8)], values)
    assert same == values
    assert alike == [1.0] * 8
    assert by_level[0] > 10 * by_level[-1]
