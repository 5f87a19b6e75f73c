"""When memory is exhausted, as an interval: from the trend, the daily curve, and how sure both are.

The values less their daily curve are taken for a line with a random walk about it. How far a walk strays is measured
between stretches of the past; the slope is as unsure as so many stretches leave it. ``benchmarks/anomalies`` tests by
past series that four in five ends lie within the interval.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist, median

from memwatch.detection.statistics.estimators import noise, theil_sen

FEWEST = 24
"""Points. With fewer there is no forecast."""
STRETCHES = 8
DAILY_SPAN_H = 48.0
"""The daily curve is taken off from this length on."""
HORIZON_H = 30 * 24.0
"""Nothing is said of what is further away."""
SURE = 0.8
"""The share of ends that should lie within the interval."""
WIDER = 1.25
"""By what the interval is stretched, so that back-tests hold as many ends as they should."""


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """When a limit will be reached, in hours from the last point."""

    earliest_h: float
    likely_h: float
    latest_h: float | None
    """``None``: it may never be, or not within a month."""


def forecast(hours: Sequence[float], values: Sequence[float], limit: float) -> Forecast | None:
    """``hours``: times of the values, in hours, rising; they may have holes. ``None`` where no end is in sight."""
    if len(values) < FEWEST or limit <= 0 or values[-1] >= limit or (span := hours[-1] - hours[0]) <= 0:
        return None
    slope = theil_sen(hours, values).slope
    curve = _daily(hours, values, slope) if span >= DAILY_SPAN_H else {}
    plain = [value - curve.get(_hour(at), 0.0) for at, value in zip(hours, values, strict=True)]
    slope = theil_sen(hours, plain).slope
    if slope <= 0:
        return None
    now, length = hours[-1], span / STRETCHES
    level = median([y - slope * (at - now) for at, y in zip(hours, plain, strict=True) if at >= now - length])
    white = noise(plain)
    lift = 0.5 * white * math.sqrt(2 * math.log(max(1.0, 2 * white / slope)))
    """The highest of the hours in which the limit is about as far away as the noise: one of them is enough."""
    walk = _walk(hours, plain, slope, length, white)
    score = NormalDist().inv_cdf(0.5 + SURE / 2) * WIDER
    found: list[float | None] = [None, None, None]
    ahead = 0.0
    step = max(length / 12, 0.25)
    while ahead < HORIZON_H and found[2] is None:
        ahead += step
        middle = level + lift + slope * ahead + curve.get(_hour(now + ahead), 0.0)
        unsure = score * math.sqrt(white**2 + walk * (ahead + length / 2) + walk * ahead**2 / span)
        for number, reached in enumerate((middle + unsure, middle, middle - unsure)):
            if found[number] is None and reached >= limit:
                found[number] = ahead
    earliest, likely, latest = found
    if earliest is None or likely is None:
        return None
    return Forecast(max(0.0, earliest - step), likely, latest)


def _hour(at: float) -> int:
    return int(at % 24)


def _daily(hours: Sequence[float], values: Sequence[float], slope: float) -> dict[int, float]:
    """How far each hour of the day lies from the line."""
    by_hour: dict[int, list[float]] = {}
    for at, value in zip(hours, values, strict=True):
        by_hour.setdefault(_hour(at), []).append(value - slope * (at - hours[0]))
    middles = {hour: median(own) for hour, own in by_hour.items()}
    level = sum(middles.values()) / len(middles)
    return {hour: middle - level for hour, middle in middles.items()}


def _walk(hours: Sequence[float], plain: Sequence[float], slope: float, length: float, white: float) -> float:
    """The variance that an hour adds, from the medians of stretches."""
    stretches: dict[int, list[float]] = {}
    for at, value in zip(hours, plain, strict=True):
        number = min(STRETCHES - 1, int((at - hours[0]) / length))
        stretches.setdefault(number, []).append(value - slope * (at - hours[0]))
    middles = sorted((number, median(own), len(own)) for number, own in stretches.items())
    steps = []
    for (before, low, few), (after, high, many) in pairwise(middles):
        sampling = 1.57 * white**2 * (1 / few + 1 / many)
        steps.append(max(0.0, (high - low) ** 2 - sampling) / ((after - before) * length))
    return sum(steps) / len(steps) if steps else 0.0
