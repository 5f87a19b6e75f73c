"""The test between two groups of processes agrees with SciPy, ties included."""

from __future__ import annotations

from random import Random

import pytest

from memwatch.detection.releases.shift import histogram_p, least_p, shift
from memwatch.records import histogram

SIZES = [(4, 4, 8.0), (3, 5, 0.0), (5, 7, 3.0), (10, 12, 2.0), (9, 30, 1.0), (20, 20, -4.0)]


def draw(seed: int, count: int, mean: float, *, whole: bool = True) -> list[float]:
    random = Random(seed)
    values = [random.gauss(mean, 3) for _ in range(count)]
    return [float(round(value)) for value in values] if whole else values


@pytest.mark.parametrize(("before", "after", "moved"), SIZES)
def test_p_is_that_of_all_permutations(before: int, after: int, moved: float) -> None:
    from scipy import stats  # here: a second for every worker that collects this file

    low, high = draw(1, before, 100.0), draw(2, after, 100.0 + moved)
    found = shift(low, high)
    if before + after <= 12:
        permuted = stats.permutation_test(
            (low, high), lambda a, b: abs(stats.mannwhitneyu(a, b).statistic - len(a) * len(b) / 2),
            permutation_type="independent", alternative="greater", n_resamples=10**6,
        )  # fmt: skip
        assert found.p == pytest.approx(permuted.pvalue, abs=1e-6)
    else:
        assert found.p == pytest.approx(stats.mannwhitneyu(low, high, method="asymptotic").pvalue, abs=0.01)


@pytest.mark.parametrize(("before", "after", "moved"), SIZES[:4])
def test_without_ties_p_is_exact(before: int, after: int, moved: float) -> None:
    from scipy import stats

    low, high = draw(1, before, 100.0, whole=False), draw(2, after, 100.0 + moved, whole=False)
    assert shift(low, high).p == pytest.approx(stats.mannwhitneyu(low, high, method="exact").pvalue, abs=1e-9)


def test_the_interval_holds_the_shift_as_often_as_it_says() -> None:
    held = 0
    for seed in range(400):
        found = shift(draw(seed, 6, 100.0, whole=False), draw(seed + 5000, 7, 110.0, whole=False))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 10 <= found.high
    assert held >= 0.93 * 400


def test_the_shift_is_that_of_hodges_and_lehmann() -> None:
    found = shift([1.0, 2.0, 3.0, 4.0], [11.0, 12.0, 13.0, 99.0])
    assert (found.shift, found.superiority) == (10.0, 1.0)
    assert found.p == pytest.approx(2 / 70)
    assert (found.low, found.high) == (7.0, 98.0)


def test_few_processes_have_no_interval_and_no_small_p() -> None:
    found = shift([1.0, 2.0, 3.0], [7.0, 8.0, 9.0])
    assert (found.low, found.high, found.p) == (None, None, 0.1)
    assert shift([5.0] * 4, [5.0] * 4).p == 1.0
    assert least_p(1, 1) == 1.0
    with pytest.raises(ValueError, match="at least one"):
        shift([], [1.0])


def test_values_in_buckets_are_tested_as_the_values_are() -> None:
    from scipy import stats

    random = Random(4)
    low, high = ([random.lognormvariate(mean, 0.4) for _ in range(300)] for mean in (7.0, 7.08))
    counts = [histogram.Counts(), histogram.Counts()]
    for values, count in zip((low, high), counts, strict=True):
        for value in values:
            histogram.add(count, {str(histogram.bucket(value)): 1})
    buckets = [[histogram.bucket(value) for value in values] for values in (low, high)]
    assert histogram_p(*counts) == pytest.approx(stats.mannwhitneyu(*buckets).pvalue, abs=1e-9)
    assert histogram_p({}, counts[0]) == 1.0
    assert histogram_p({"5": 3}, {"5": 9}) == 1.0
