"""The estimators agree with SciPy and pymannkendall."""

import itertools
import math
from random import Random

import pytest

from memwatch.detection.statistics.estimators import (
    correlation,
    drawdown,
    mann_kendall,
    mann_whitney,
    noise,
    solve,
    theil_sen,
    thin,
    without_daily,
)

SERIES = [
    pytest.param([Random(seed).gauss(i * slope, 3) for i in range(length)], id=f"{length} points, slope {slope}")
    for seed, (length, slope) in enumerate([(8, 0.0), (12, 0.4), (25, -0.3), (60, 0.05)])
] + [pytest.param([1.0, 1.0, 2.0, 2.0, 2.0, 5.0, 5.0, 4.0, 9.0, 9.0], id="ties")]


@pytest.mark.parametrize("values", SERIES)
def test_mann_kendall_is_that_of_pymannkendall(values):
    import pymannkendall  # here, as SciPy: a second for every worker that collects this file

    ours, theirs = mann_kendall(values), pymannkendall.original_test(values)
    assert ours.s == theirs.s
    assert ours.variance == pytest.approx(theirs.var_s)
    assert ours.z == pytest.approx(theirs.z)
    assert ours.p == pytest.approx(theirs.p, abs=1e-9)
    assert ours.tau == pytest.approx(theirs.Tau)


@pytest.mark.parametrize("values", SERIES)
def test_theil_sen_and_its_bounds_are_scipys(values):
    from scipy import stats

    times = [float(i) for i in range(len(values))]
    ours, theirs = theil_sen(times, values), stats.theilslopes(values, times, alpha=0.95)
    assert ours.slope == pytest.approx(theirs.slope)
    assert ours.low == pytest.approx(theirs.low_slope)
    assert ours.high == pytest.approx(theirs.high_slope)


@pytest.mark.parametrize("seed", range(4))
def test_mann_whitney_is_scipys(seed):
    from scipy import stats

    random = Random(seed)
    low = [round(random.gauss(0, 2)) for _ in range(9)]
    high = [round(random.gauss(1, 2)) for _ in range(14)]
    theirs = stats.mannwhitneyu(low, high, alternative="less", method="asymptotic")
    assert mann_whitney(low, high) == pytest.approx(theirs.pvalue)


def test_noise_is_measured_about_a_curve():
    random = Random(1)
    values = [100 * math.sin(i / 80) + random.gauss(0, 2) for i in range(600)]
    assert noise(values) == pytest.approx(2.0, rel=0.15)


def test_least_squares_find_the_line():
    found = solve([[1.0] * 5, [0.0, 1, 2, 3, 4]], [3.0, 5, 7, 9, 11], [1.0] * 5)
    assert found is not None
    assert found[0] == pytest.approx([3, 2])
    assert found[1] == pytest.approx(0, abs=1e-9)


def test_least_squares_refuse_columns_that_are_the_same():
    assert solve([[1.0] * 4, [1.0] * 4], [1.0, 2, 3, 4], [1.0] * 4) is None


def test_a_long_series_is_thinned_to_medians():
    times, values = thin([float(i) for i in range(1000)], [float(i) for i in range(1000)], 10)
    assert len(times) == len(values) == 10
    assert values[0] == pytest.approx(49.5)


def test_the_largest_fall_is_found():
    assert drawdown([1, 5, 3, 6, 2, 7]) == 4


def test_what_stands_still_goes_with_nothing():
    assert correlation([1, 1, 1], [1, 2, 3]) == 0


def test_a_daily_curve_is_taken_off_and_a_line_stays():
    times = [3600.0 * i for i in range(26)]
    line = [500 + 10.0 * i for i in range(26)]
    values = [v + 80 * math.sin(2 * math.pi * (i + 5) / 24) for i, v in enumerate(line)]
    found = without_daily(times, values)
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert steps == pytest.approx([10.0] * 25)
    assert without_daily([0.0, 0.0], [1.0, 2.0]) == [1.0, 2.0]
