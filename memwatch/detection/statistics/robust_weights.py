"""How much each point of a series counts: outliers are drawn in, and noise may grow with the level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from memwatch.detection.statistics.estimators import GAUSSIAN_MAD

WINDOW = 7
"""Neighbours that say what a point should be: three of them may be outliers."""
OUTLIER_SIGMAS = 2.5
"""Huber's usual limit: a point further out counts as one this far out."""
ENOUGH_POINTS = 30
"""Fewer do not tell an outlier from a bend, nor whether noise grows with the level."""
LEAST_LEVEL = 0.05
"""Of the highest: keeps a start from nothing from outweighing all the rest."""


def weighed(times: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[list[float]]]:
    """``(values, weights)``: the values with outliers drawn in, and each likely way to weigh them (1 on average).

    Few points are left as they are, and weighed both ways: all alike, and as if their noise grew with the level, as
    that of counts under a varying load does. Which fits better, the fits say.
    """
    smooth = _smoothed(times, values)
    top = max(*map(abs, smooth), 1e-12)
    levels = [max(abs(level) / top, LEAST_LEVEL) for level in smooth]
    if len(values) < ENOUGH_POINTS:
        return list(values), [[1.0] * len(values), _weights(levels)]
    rests = [value - level for value, level in zip(values, smooth, strict=True)]
    power = _noise_power(levels, rests)
    scales = [level**power for level in levels]
    spread = GAUSSIAN_MAD * median(abs(rest) / scale for rest, scale in zip(rests, scales, strict=True))
    if spread <= 0:
        return list(values), [[1.0] * len(values)]
    limits = [OUTLIER_SIGMAS * spread * scale for scale in scales]
    tamed = [level + max(-limit, min(limit, rest)) for level, rest, limit in zip(smooth, rests, limits, strict=True)]
    return tamed, [_weights(scales)]


def _weights(scales: Sequence[float]) -> list[float]:
    """For noise of these standard deviations."""
    weights = [scale**-2 for scale in scales]
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]


def _smoothed(times: Sequence[float], values: Sequence[float]) -> list[float]:
    """What each point should be by a robust line (Theil-Sen) through its neighbours."""
    n, width = len(values), min(WINDOW, len(values))
    smooth = []
    for i in range(n):
        a = max(0, min(i - width // 2, n - width))
        t, y = times[a : a + width], values[a : a + width]
        slopes = [(y[k] - y[j]) / (t[k] - t[j]) for j in range(width) for k in range(j + 1, width) if t[k] != t[j]]
        slope = median(slopes) if slopes else 0.0
        smooth.append(median(v - slope * (x - times[i]) for x, v in zip(t, y, strict=True)))
    return smooth


def _noise_power(levels: Sequence[float], rests: Sequence[float]) -> float:
    """0 where the noise is the same everywhere, 1 where it grows as the level does."""
    middle = median(levels)
    low = [(level, abs(rest)) for level, rest in zip(levels, rests, strict=True) if level <= middle]
    high = [(level, abs(rest)) for level, rest in zip(levels, rests, strict=True) if level > middle]
    if not low or not high:
        return 0.0
    noise_low, noise_high = median(rest for _, rest in low), median(rest for _, rest in high)
    ratio = median(level for level, _ in high) / median(level for level, _ in low)
    if noise_low <= 0 or noise_high <= 0 or ratio < 1.2:
        return 0.0
    return max(0.0, min(1.0, math.log(noise_high / noise_low) / math.log(ratio)))
