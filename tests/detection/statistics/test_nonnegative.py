"""The regression against SciPy and NumPy, with the same figures."""

from __future__ import annotations

import numpy as np
import pytest

from memwatch.detection.statistics.nonnegative import (
    LAGS,
    Regression,
    student_quantile,
)


def columns_and_target(seed: int, rows: int = 60, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = rng.poisson(rng.uniform(1, 20, count), (rows, count)).astype(float)
    return columns, columns @ rng.choice([0, 0, -1, 2], count) + rng.normal(0, 5, rows)


def regression(columns: np.ndarray, target: np.ndarray) -> Regression:
    return Regression(columns.T.tolist(), target.tolist())


@pytest.mark.parametrize("seed", range(40))
def test_coefficients_are_those_of_scipy(seed):
    from scipy import optimize  # here: a second for every worker that collects this file

    columns, target = columns_and_target(seed)
    expected, rest = optimize.nnls(columns, target)
    fit = regression(columns, target).fit(range(columns.shape[1]))
    assert [fit.of(column) for column in range(columns.shape[1])] == pytest.approx(expected, abs=0.02)
    assert fit.rest == pytest.approx(rest**2, rel=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_a_fit_begun_at_another_comes_to_the_same(seed):
    found = regression(*columns_and_target(seed))
    near = found.fit([5, 6, 7, 0])
    anew, begun = found.fit(range(6)), found.fit(range(6), near)
    assert [begun.of(column) for column in range(6)] == pytest.approx(
        [anew.of(column) for column in range(6)], abs=1e-6
    )


def test_a_column_that_another_makes_up_is_left_out():
    columns, target = columns_and_target(3)
    columns[:, 1] = 3 * columns[:, 0]
    fit = regression(columns, target).fit([0, 1])
    assert len(fit.columns) <= 1


def test_a_gain_is_what_the_column_takes_off_the_rest():
    columns = np.random.default_rng(5).poisson(8, (60, 4)).astype(float)
    found = regression(columns, columns @ [1.0, 2.0, 3.0, 4.0])
    base = found.fit([0, 1])
    gains = found.gains(base, [2, 3])
    for column, gain in gains.items():
        assert base.rest - gain == pytest.approx(found.fit([0, 1, column]).rest, rel=1e-6)


def test_the_error_is_hc3_where_neighbours_have_nothing_in_common():
    columns, target = columns_and_target(11, rows=200, count=3)
    found = regression(columns, target)
    fit = found.fit(range(3))
    x = columns[:, fit.columns]
    inverse = np.linalg.inv(x.T @ x)
    rest = (target - x @ np.array(fit.coefficients)) / (1 - np.einsum("ij,jk,ik->i", x, inverse, x))
    expected = np.sqrt(np.diag(inverse @ (x.T * rest**2) @ x @ inverse))
    for place, column in enumerate(fit.columns):
        assert expected[place] * 0.999 <= found.error(fit, column) <= 1.5 * expected[place]


def test_noise_that_lasts_widens_the_error():
    rng = np.random.default_rng(2)
    column = np.repeat(rng.normal(10, 3, 30), LAGS)
    rest = np.repeat(rng.normal(0, 1, 30), LAGS)
    lasting = regression(column[:, None], 2 * column + rest)
    shuffled = regression(column[:, None], 2 * column + rng.permutation(rest))
    assert lasting.error(lasting.fit([0]), 0) > 1.5 * shuffled.error(shuffled.fit([0]), 0)


@pytest.mark.parametrize("freedom", [4, 8, 20, 100, 2000])
@pytest.mark.parametrize("confidence", [0.95, 0.999])
def test_quantiles_are_those_of_scipy(freedom, confidence):
    from scipy import stats

    expected = stats.t.ppf(0.5 + confidence / 2, freedom)
    assert student_quantile(freedom, confidence) == pytest.approx(expected, rel=0.015 if confidence < 0.99 else 0.1)
