"""One series in many short lives, put on one axis: together the lives show what no single life shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import copysign, sqrt
from statistics import fmean, median

from memwatch.detection.statistics.estimators import Slope, Trend, correlation, mann_kendall, quantile, theil_sen
from memwatch.detection.statistics.model_comparison import Comparison, compare

WARM_UP_SHARE = 0.25
"""The start of each life that is left out: imports run and caches fill then in every life."""

LEAST_POINTS, LATE_POINTS = 3, 2
"""Least points of a life, and after its warm-up. Two points have an order, and many lives make up for few points."""

ALL_REACH = 0.25
"""Lives are compared up to the age that three quarters of them reach."""

CURVE_S = 3600.0
"""Seconds to which a pooled curve is stretched before shapes are fitted: a life of minutes has no daily curve."""

LATE_CURVE = 0.4
"""The last part of the pooled curve, as a share."""


@dataclass(frozen=True, slots=True)
class Life:
    """One series in one process."""

    started: float
    """Seconds since the epoch, at its first point."""
    ages: Sequence[float]
    """Seconds since its first point."""
    work: Sequence[float] | None
    """Requests and tasks handled since its first point, where counted at every point and moved."""
    values: Sequence[float]

    @classmethod
    def of(cls, times: Sequence[float], values: Sequence[float], work: Sequence[float] | None) -> Life:
        """From the columns of a series, which must not be empty."""
        done = None if work is None or work[-1] <= work[0] else [value - work[0] for value in work]
        return cls(times[0], [time - times[0] for time in times], done, values)

    def axis(self, name: str) -> Sequence[float]:
        return self.work if name == "work" and self.work is not None else self.ages

    def late(self, axis: str) -> tuple[Sequence[float], Sequence[float]]:
        """Positions and values after the warm-up."""
        x = self.axis(axis)
        cut = WARM_UP_SHARE * x[-1]
        start = min(next(i for i, position in enumerate(x) if position >= cut), len(x) - LATE_POINTS)
        return x[start:], self.values[start:]


class Pool:
    """One series in several lives, on the axis that explains it better: age, or work done."""

    def __init__(self, lives: Iterable[Life]) -> None:
        self.lives = [life for life in lives if len(life.values) >= LEAST_POINTS and life.ages[-1] > 0]

    @cached_property
    def axis(self) -> str:
        """``work`` where all lives count it and growth correlates with it better than with age, else ``age``."""
        if any(life.work is None for life in self.lives):
            return "age"
        close = {name: fmean(correlation(life.axis(name), life.values) for life in self.lives) for name in _AXES}
        return max(_AXES, key=close.__getitem__)

    @cached_property
    def late(self) -> list[tuple[Sequence[float], Sequence[float]]]:
        """Each life without its warm-up."""
        return [life.late(self.axis) for life in self.lives]

    @cached_property
    def trends(self) -> list[Trend]:
        return [mann_kendall(values) for _, values in self.late]

    @cached_property
    def z(self) -> float:
        """Mann-Kendall's z over all lives: S and variance add up over independent lives."""
        s, variance = sum(trend.s for trend in self.trends), sum(trend.variance for trend in self.trends)
        return (s - copysign(1, s)) / sqrt(variance) if variance > 0 and s else 0.0

    @property
    def rising(self) -> float:
        """The share of the lives that rise more than they fall."""
        return fmean(trend.s > 0 for trend in self.trends)

    @cached_property
    def first(self) -> float:
        """Median level after the warm-up."""
        return median(values[0] for _, values in self.late)

    @cached_property
    def gain(self) -> float:
        """Median growth of a life after its warm-up."""
        return median(values[-1] - values[0] for _, values in self.late)

    @property
    def percent(self) -> float:
        """``gain`` in percent of ``first``; 100 for growth from 0."""
        return self.gain / self.first * 100 if self.first > 0 else (100.0 if self.gain > 0 else 0.0)

    @cached_property
    def per_hour(self) -> float:
        """Median slope over time, an hour."""
        slopes = [theil_sen(*life.late("age")).slope for life in self.lives]
        return median(slopes) * 3600

    @cached_property
    def reach(self) -> float:
        """How far three quarters of the lives come, on the axis."""
        return quantile([life.axis(self.axis)[-1] for life in self.lives], ALL_REACH)

    @cached_property
    def curve(self) -> tuple[list[float], list[float]]:
        """All points of all lives as one life: positions and values, each life moved to the level of all.

        A life's own level is its mean over the part that three quarters of the lives have.
        """
        levels = [self._level(life) for life in self.lives]
        middle = median(levels)
        points = [
            (x, value - level + middle)
            for life, level in zip(self.lives, levels, strict=True)
            for x, value in zip(life.axis(self.axis), life.values, strict=True)
            if x <= self.reach
        ]
        points.sort()
        return [x for x, _ in points], [value for _, value in points]

    def _level(self, life: Life) -> float:
        inside = [value for x, value in zip(life.axis(self.axis), life.values, strict=True) if x <= self.reach]
        return fmean(inside) if inside else life.values[0]

    @cached_property
    def slope(self) -> Slope:
        """Theil-Sen's slope of the curve, a second (or a unit of work)."""
        return theil_sen(*self.curve)

    @cached_property
    def shapes(self) -> Comparison | None:
        """How well leaking and harmless shapes fit the curve."""
        x, values = self.curve
        if not x or x[-1] <= x[0]:
            return None
        scale = CURVE_S / (x[-1] - x[0])
        return compare([position * scale for position in x], values)

    @cached_property
    def late_share(self) -> float:
        """Slope of the curve's last part over the slope of all: about 1 for a line, 0 for a plateau."""
        x, values = self.curve
        cut = x[0] + (1 - LATE_CURVE) * (x[-1] - x[0])
        start = next(i for i, position in enumerate(x) if position >= cut)
        if self.slope.slope <= 0 or len(x) - start < 4:
            return 0.0
        return theil_sen(x[start:], values[start:]).slope / self.slope.slope

    @cached_property
    def drift_share(self) -> float:
        """Slope from life to life as a share of the slope in a life: 0 for a leak, 1 for what follows the load.

        0 where all lives began within two life spans, or their levels have no trend.
        """
        starts = [life.started for life in self.lives]
        inside = median(theil_sen(life.ages, life.values).slope for life in self.lives)
        if max(starts) - min(starts) < 2 * median(life.ages[-1] for life in self.lives) or inside <= 0:
            return 0.0
        ordered = sorted((life.started, self._level(life)) for life in self.lives)
        levels = [level for _, level in ordered]
        trend = mann_kendall(levels)
        if trend.p > 0.01:
            return 0.0
        return max(0.0, theil_sen([start for start, _ in ordered], levels).slope / inside)


_AXES = ("age", "work")
