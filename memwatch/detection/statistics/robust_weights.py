"""How much each point of a series counts: outliers are limited, and noise may grow with the level."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import combinations
from statistics import median

from memwatch.detection.statistics.estimators import GAUSSIAN_MAD

WINDOW = 7
"""Neighbours that determine a point's expected value: three of them may be outliers."""
OUTLIER_SIGMAS = 2.5
"""Huber's usual limit: a point further out counts as one this far out."""
ENOUGH_POINTS = 30
"""Fewer points do not distinguish an outlier from a bend, nor show whether noise grows with the level."""
LEAST_LEVEL = 0.05
"""As a share of the highest level: keeps a start at 0 from outweighing the rest."""
LEAST_RATIO = 1.2
"""Of the high levels to the low ones; closer levels do not show whether noise grows with them."""


def weighed(times: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[list[float]]]:
    """``(values, weights)``: the values with limited outliers, and each likely weighting of them (1 on average).

    Under ``ENOUGH_POINTS`` the values stay as they are and get two weightings: equal weights, and weights for noise
    that grows with the level, as counts under a varying load have it. The caller chooses by the better fit.
    """
    smooth = _smoothed(times, values)
    top = max(*map(abs, smooth), 1e-12)
    levels = [max(abs(level) / top, LEAST_LEVEL) for level in smooth]
    if len(values) < ENOUGH_POINTS:
        return list(values), [[1.0] * len(values), _weights(levels)]
    rests = [abs(value - level) for value, level in zip(values, smooth, strict=True)]
    power = _noise_power(levels, rests)
    scales = [level**power for level in levels]
    spread = GAUSSIAN_MAD * median(rest / scale for rest, scale in zip(rests, scales, strict=True))
    if spread <= 0:
        return list(values), [[1.0] * len(values)]
    return drawn_in(values, smooth, [OUTLIER_SIGMAS * spread * scale for scale in scales]), [_weights(scales)]


def drawn_in(values: Sequence[float], levels: Sequence[float], limits: Sequence[float]) -> list[float]:
    """The values, none further from its level than its limit."""
    pairs = zip(values, levels, limits, strict=True)
    return [level + max(-limit, min(limit, value - level)) for value, level, limit in pairs]


def _weights(scales: Sequence[float]) -> list[float]:
    """Inverse variances, for noise with these standard deviations."""
    weights = [scale**-2 for scale in scales]
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]


def _smoothed(times: Sequence[float], values: Sequence[float]) -> list[float]:
    """The expected value at each point, by a robust line (Theil-Sen) through its neighbours."""
    n, width = len(values), min(WINDOW, len(values))
    smooth = []
    for i, time in enumerate(times):
        first = max(0, min(i - width // 2, n - width))
        near = list(zip(times[first : first + width], values[first : first + width], strict=True))
        slopes = [(d - b) / (c - a) for (a, b), (c, d) in combinations(near, 2) if c != a]
        slope = median(slopes) if slopes else 0.0
        smooth.append(median(value - slope * (at - time) for at, value in near))
    return smooth


def _noise_power(levels: Sequence[float], rests: Sequence[float]) -> float:
    """From 0 for noise that is the same everywhere to 1 for noise that grows as the level does.

    ``rests``: how far each point is from its expected value, not negative.
    """
    points = sorted(zip(levels, rests, strict=True))
    cut = bisect_right(points, (median(levels), math.inf))
    low, high = points[:cut], points[cut:]
    if not low or not high:
        return 0.0
    low_level, low_noise = map(median, zip(*low, strict=True))
    high_level, high_noise = map(median, zip(*high, strict=True))
    ratio = high_level / low_level
    if low_noise <= 0 or high_noise <= 0 or ratio < LEAST_RATIO:
        return 0.0
    return max(0.0, min(1.0, math.log(high_noise / low_noise) / math.log(ratio)))
