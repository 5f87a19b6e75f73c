"""Upper bounds of figures that differ from life to life."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from memwatch.detection.statistics.nonnegative import student_quantile

CONFIDENCE = 0.95
"""With which memory is to stay below the target."""
CAREFUL, EVEN = 0.99, 0.5
"""For the lower and the upper end of what is recommended."""


def upper_sum(values: Sequence[float], count: int, confidence: float = CONFIDENCE) -> float:
    """What so many new ones add up to, at most, with this confidence: the prediction bound of a sum.

    ``count * mean + t * s * sqrt(count + count**2 / n)`` for ``n`` values with standard deviation ``s``.
    """
    mean, n = fmean(values), len(values)
    if n < 2 or confidence <= EVEN:
        return count * mean
    quantile = student_quantile(n - 1, 2 * confidence - 1)
    return count * mean + quantile * stdev(values) * math.sqrt(count + count**2 / n)


def upper(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """The same of one."""
    return upper_sum(values, 1, confidence)


def upper_mean(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """What the mean of many new ones is at most."""
    if len(values) < 2:
        return fmean(values)
    quantile = student_quantile(len(values) - 1, 2 * confidence - 1)
    return fmean(values) + quantile * stdev(values) / math.sqrt(len(values))


def lower(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """What one new value falls below with the rest of the confidence; not below a tenth of the lowest seen."""
    return max(-upper([-value for value in values], confidence), min(values) / 10)
