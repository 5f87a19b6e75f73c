"""One series and the statistics that the rules ask for, each computed once and on demand; what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from memwatch.detection.history import History
from memwatch.detection.series import Series
from memwatch.detection.statistics.estimators import Slope, Trend, drawdown, mann_kendall, noise, quantile, theil_sen
from memwatch.detection.statistics.model_comparison import Comparison, compare

WINDOWS = ("given", "calls", "hour", "day", "week")
"""``given``: the caller chose the snapshots and wants an answer. ``calls``: so did a test that made the same number of
calls before each and a full collection after them, so that counts are exact; they are counted from the lowest. The
others are a standing watch, which can wait."""

HOUR_S = 3600.0

FLOOR_POINTS = 24
"""Fewer raw points are their own floors: under three a bucket a minimum says little."""

FLOOR_SHARE = 0.1
"""The quantile that is a bucket's floor: low enough for a saw-tooth's base, above a lone outlier."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The contract's thresholds: a type is looked at when it grew by more than both."""

    min_growth_percent: float = 50.0
    min_growth_count: int = 100


@dataclass
class Case:
    """A series, the process it belongs to, and the statistics that the rules computed."""

    series: Series
    history: History
    thresholds: Thresholds
    window: str
    gate: str = ""
    """``contract``, ``steady`` or ``memory``: what made it worth looking at."""
    least: float = 0.0
    """Growth that the gate asks for, in the series' unit; unused for ``contract``, which has two thresholds."""
    statistics: dict[str, Any] = field(default_factory=dict)
    """What the rules computed, for the evidence."""

    @property
    def times(self) -> Sequence[float]:
        return self.series.times

    @property
    def values(self) -> Sequence[float]:
        return self.series.values

    @property
    def span_s(self) -> float:
        return self.times[-1] - self.times[0]

    @property
    def growth(self) -> float:
        return self.series.growth

    @property
    def watching(self) -> bool:
        """Whether this is a standing watch, which waits for more points instead of guessing."""
        return self.window not in ("given", "calls")

    @property
    def exact(self) -> bool:
        """Whether the points are counts of a test, in which nothing but the calls made a difference."""
        return self.window == "calls"

    @property
    def is_unnamed_memory(self) -> bool:
        """Whether no type and no container accounts for it: blocks or KiB."""
        return self.series.unit in ("blocks", "KiB")

    @cached_property
    def step_rates(self) -> Sequence[float]:
        """Growth a second from each point to the next."""
        steps = zip(pairwise(self.times), pairwise(self.values), strict=True)
        return [(after - before) / (end - start) for (start, end), (before, after) in steps]

    @cached_property
    def sigma(self) -> float:
        """Noise of a raw point."""
        return noise(self.values)

    @cached_property
    def floors(self) -> tuple[Sequence[float], Sequence[float]]:
        """Times and floors of equal-time buckets; the raw points when they are few."""
        return floors(self.times, self.values)

    @cached_property
    def trend(self) -> Trend:
        """Mann-Kendall's test of the floors."""
        return mann_kendall(self.floors[1])

    @cached_property
    def slope(self) -> Slope:
        """Theil-Sen's slope of the floors, per second."""
        return theil_sen(*self.floors)

    @cached_property
    def raw_slope(self) -> Slope:
        """Theil-Sen's slope of all points, per second."""
        return theil_sen(self.times, self.values)

    @cached_property
    def sawtooth(self) -> bool:
        """Whether it falls back by much more than noise explains."""
        gain = max(self.values) - min(self.values)
        return drawdown(self.values) > max(0.35 * gain, 8 * self.sigma)

    @cached_property
    def shapes(self) -> Comparison | None:
        """How well each shape fits the raw points, or the floors of a saw-tooth."""
        if self.sawtooth and len(self.floors[0]) >= 8:
            return compare(*self.floors)
        return compare(self.times, self.values, work=self.series.work)

    @cached_property
    def late_share(self) -> tuple[float, float]:
        """Slope of the last 40 % over the slope of all, and the most it can be: about 1 for a line, 0 for a plateau."""
        times, values = self.floors if self.sawtooth else (self.times, self.values)
        cut = times[0] + 0.6 * (times[-1] - times[0])
        start = next((i for i, time in enumerate(times) if time >= cut), len(times))
        start = min(start, len(times) - 4)
        overall = theil_sen(times, values).slope
        if overall <= 0:
            return 0.0, 0.0
        late = theil_sen(times[start:], values[start:])
        return late.slope / overall, late.high / overall


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of a rule that settled a case."""

    outcome: str
    """One of :data:`memwatch.detection.verdict.OUTCOMES`."""
    reason: str = ""
    """Why, for the operator: a clause without a full stop."""
    rule: str = ""
    """The name of the rule; ``rules.registry.decide`` fills it in."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about a series, under the name that evidence keeps."""

    name: str
    question: str
    """For the operator, in English; the answer *yes* supports a leak."""


@dataclass(frozen=True, kw_only=True)
class Rule(Question):
    """A question that can settle the case of one series."""

    decide: Callable[[Case], Decision | None]
    """``None`` passes the case on to the next rule."""
    explain: Callable[[Case], str | None]
    """What the rule measured and its bound, once ``decide`` has run; ``None`` where the rule does not apply."""
    not_applicable: str = ""
    """Why it does not apply, where ``explain`` gives ``None``."""


def floors(times: Sequence[float], values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """8 to 12 buckets of equal time (10 and more points in each where there are enough), and the floor of each."""
    if len(values) < FLOOR_POINTS:
        return times, values
    number = min(12, max(8, len(values) // 10))
    start, width = times[0], (times[-1] - times[0]) / number
    if width <= 0:
        return times[:1], values[:1]
    buckets: list[list[float]] = [[] for _ in range(number)]
    for time, value in zip(times, values, strict=True):
        buckets[min(number - 1, int((time - start) / width))].append(value)
    kept = [(start + (i + 0.5) * width, bucket) for i, bucket in enumerate(buckets) if bucket]
    low = [min(bucket) if len(bucket) < 10 else quantile(bucket, FLOOR_SHARE) for _, bucket in kept]
    return [time for time, _ in kept], low
