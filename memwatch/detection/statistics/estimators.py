"""Estimators for short series in the standard library alone: trend, slope, comparison, noise.

The tests check them against SciPy and pymannkendall. All take plain sequences of floats without holes.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from statistics import NormalDist, median

_NORMAL = NormalDist()

MAX_SLOPE_POINTS = 60
"""Theil-Sen looks at all pairs; a longer series is thinned to this many points (1,770 pairs, about 1 ms)."""

GAUSSIAN_MAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Mann-Kendall's test for a monotonic trend, with the correction for ties."""

    s: int
    """Pairs that rise less pairs that fall."""
    variance: float
    z: float
    p: float
    """Two-sided."""
    tau: float
    """``s`` over the number of pairs: 1 when every later value is higher."""


def mann_kendall(values: Sequence[float]) -> Trend:
    """Mann (1945), Kendall (1975). Costs n log n comparisons."""
    n = len(values)
    if n < 2:
        return Trend(0, 0.0, 0.0, 1.0, 0.0)
    seen: list[float] = []
    s = 0
    for value in values:
        s += bisect_left(seen, value) - (len(seen) - bisect_right(seen, value))
        insort(seen, value)
    variance = _kendall_variance(n, values)
    z = 0.0 if variance <= 0 or s == 0 else (s - math.copysign(1, s)) / math.sqrt(variance)
    return Trend(s, variance, z, 2 * (1 - _NORMAL.cdf(abs(z))), s / (n * (n - 1) / 2))


def _kendall_variance(n: int, values: Sequence[float]) -> float:
    ties = sum(t * (t - 1) * (2 * t + 5) for t in Counter(values).values() if t > 1)
    return (n * (n - 1) * (2 * n + 5) - ties) / 18


@dataclass(frozen=True, slots=True)
class Slope:
    """Theil-Sen's median slope with a two-sided confidence interval."""

    slope: float
    low: float
    high: float


def theil_sen(times: Sequence[float], values: Sequence[float], confidence: float = 0.95) -> Slope:
    """Sen (1968). Pairs at equal times are left out; no pair left gives a slope of 0."""
    times, values = thin(times, values, MAX_SLOPE_POINTS)
    n = len(values)
    slopes = sorted(
        (values[j] - values[i]) / (times[j] - times[i])
        for i in range(n)
        for j in range(i + 1, n)
        if times[j] != times[i]
    )
    if not slopes:
        return Slope(0.0, 0.0, 0.0)
    spread = _NORMAL.inv_cdf(0.5 + confidence / 2) * math.sqrt(max(0.0, _kendall_variance(n, values)))
    pairs = len(slopes)
    upper = min(round((pairs + spread) / 2), pairs - 1)
    lower = max(round((pairs - spread) / 2) - 1, 0)
    return Slope(median(slopes), slopes[lower], slopes[upper])


def mann_whitney(smaller: Sequence[float], larger: Sequence[float]) -> float:
    """One-sided p that ``smaller`` comes from a lower distribution (normal approximation, ties and continuity)."""
    n1, n2 = len(smaller), len(larger)
    if not n1 or not n2:
        return 1.0
    ordered = sorted([*smaller, *larger])
    ranks = {value: (bisect_left(ordered, value) + bisect_right(ordered, value) + 1) / 2 for value in set(ordered)}
    u = sum(ranks[value] for value in smaller) - n1 * (n1 + 1) / 2
    n = n1 + n2
    ties = sum(t**3 - t for t in Counter(ordered).values())
    variance = n1 * n2 / 12 * ((n + 1) - ties / (n * (n - 1)))
    if variance <= 0:
        return 1.0
    return _NORMAL.cdf((u - n1 * n2 / 2 + 0.5) / math.sqrt(variance))


def noise(values: Sequence[float]) -> float:
    """Standard deviation of the noise about any smooth curve: the MAD of second differences over sqrt(6)."""
    bends = [values[i - 1] - 2 * values[i] + values[i + 1] for i in range(1, len(values) - 1)]
    if not bends:
        return 0.0
    middle = median(bends)
    return GAUSSIAN_MAD * median(abs(bend - middle) for bend in bends) / math.sqrt(6)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie (nearest rank, downwards)."""
    return sorted(values)[int(share * (len(values) - 1))]


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson's r; 0 where either stands still."""
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    ab = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    aa = sum((x - mean_a) ** 2 for x in a)
    bb = sum((y - mean_b) ** 2 for y in b)
    return ab / math.sqrt(aa * bb) if aa > 0 and bb > 0 else 0.0


def drawdown(values: Sequence[float]) -> float:
    """The largest fall from a high to a later low."""
    high, worst = -math.inf, 0.0
    for value in values:
        high = max(high, value)
        worst = max(worst, high - value)
    return worst


def thin(times: Sequence[float], values: Sequence[float], limit: int) -> tuple[Sequence[float], Sequence[float]]:
    """At most ``limit`` points: medians of runs of neighbours. Shorter series come back as they are."""
    n = len(values)
    if n <= limit:
        return times, values
    cuts = [n * i // limit for i in range(limit + 1)]
    runs = list(pairwise(cuts))
    return [median(times[a:b]) for a, b in runs], [median(values[a:b]) for a, b in runs]


def without_daily(times: Sequence[float], values: Sequence[float]) -> list[float]:
    """The values less a sine of 24 hours, as it fits best beside a line."""
    days = [(time - times[0]) / 86400 for time in times]
    waves = [[math.sin(2 * math.pi * day) for day in days], [math.cos(2 * math.pi * day) for day in days]]
    ones = [1.0] * len(days)
    solved = solve((ones, days, *waves), values, ones)
    if solved is None:
        return list(values)
    _, _, sine, cosine = solved[0]
    return [value - sine * a - cosine * b for value, a, b in zip(values, *waves, strict=True)]


def solve(
    columns: Sequence[Sequence[float]], y: Sequence[float], weights: Sequence[float]
) -> tuple[list[float], float] | None:
    """Weighted least squares by normal equations: coefficients and residual sum; ``None`` where it is singular."""
    size = len(columns)
    weighted = [list(map(mul, column, weights)) for column in columns]
    matrix = [[sum(map(mul, a, b)) for b in (*columns, y)] for a in weighted]
    right = [row[size] for row in matrix]
    for i in range(size):
        pivot = max(range(i, size), key=lambda row: abs(matrix[row][i]))
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        if abs(matrix[i][i]) < 1e-9:
            return None
        for row in range(size):
            if row != i:
                factor = matrix[row][i] / matrix[i][i]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[i], strict=True)]
    coefficients = [matrix[i][size] / matrix[i][i] for i in range(size)]
    return coefficients, max(0.0, sum(map(mul, map(mul, y, y), weights)) - sum(map(mul, coefficients, right)))
