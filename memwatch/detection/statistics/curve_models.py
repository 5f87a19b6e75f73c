"""The shapes that memory takes over time, each fitted by least squares at every place of its bend.

Ramps ``a + b * (min(t, end) - min(t, start))`` are a line (0 to 1), a late start (s to 1), a plateau (0 to e) and a
roll-out (s to e). Prefix sums make each cost the same whatever the number of points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from memwatch.detection.statistics.estimators import solve

KNOTS = tuple(i / 20 for i in range(21))
"""Where bends are tried, as shares of the window. Finer ones move the evidence by less than one parameter does."""

WARM_UPS = (0.03, 0.06, 0.1, 0.16, 0.24, 0.34)
"""Time constants of a saturating start. Past a third of the window a plateau has not been seen yet."""

RECORDS = (0.01, 0.03)
"""Shares of the window in which a logarithm has its start; it ends at a fifth to a quarter of its mean slope."""

RECORDS_ODDS = 4
"""A warm-up with a line on top looks much the same and is met more often."""

LATEST_START = 0.6
"""A rise that began later than this may as well be a batch that is still running."""

DAY_S = 86400.0

JUST_BEGUN = 2.0
"""A late part so much steeper than the mean is a rise of its own."""

LATE_SHARE_FLAT = 0.15
"""A line whose later part rises less than this share of the mean slope has stopped."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One shape at one place, fitted."""

    name: str
    leaking: bool
    residual: float
    """Sum of squared residuals, in units of the range squared."""
    parameters: int
    """Those found by least squares, and the noise."""
    places: int = 1
    """How many places of the bend were tried: each is that much less likely beforehand."""
    bend: float | None = None
    """Where it bends, as a share of the window."""
    late: float = 0.0
    """Slope at the end over the mean slope."""


@dataclass(frozen=True, slots=True)
class Points:
    t: Sequence[float]
    y: Sequence[float]
    w: Sequence[float]
    """Weights, 1 on average."""

    def solve(self, *columns: Sequence[float]) -> tuple[list[float], float] | None:
        return solve(columns, self.y, self.w)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Weighted prefix sums of a series, for fits at O(1)."""

    w: Sequence[float]
    t: Sequence[float]
    tt: Sequence[float]
    y: Sequence[float]
    ty: Sequence[float]
    total: float
    """Squares about the mean."""

    @classmethod
    def of(cls, points: Points) -> _Sums:
        wt = list(map(mul, points.w, points.t))
        wy = list(map(mul, points.w, points.y))
        w, y = [0.0, *accumulate(points.w)], [0.0, *accumulate(wy)]
        tt, ty = accumulate(map(mul, wt, points.t)), accumulate(map(mul, wt, points.y))
        total = sum(map(mul, wy, points.y)) - y[-1] ** 2 / w[-1]
        return cls(w, [0.0, *accumulate(wt)], [0.0, *tt], y, [0.0, *ty], total)

    def ramp(self, a: int, start: float, b: int, end: float) -> float | None:
        """Residual of a rise from the ``a``-th point at ``start`` to the ``b``-th at ``end``; ``None`` for a fall."""
        width, n = end - start, self.w[b] - self.w[a]
        linear = self.t[b] - self.t[a] - start * n
        square = self.tt[b] - self.tt[a] - 2 * start * (self.t[b] - self.t[a]) + start * start * n
        cross = self.ty[b] - self.ty[a] - start * (self.y[b] - self.y[a]) + width * (self.y[-1] - self.y[b])
        rest = self.w[-1] - self.w[b]
        return self.residual(linear + width * rest, square + width * width * rest, cross)

    def residual(self, sf: float, sff: float, sfy: float) -> float | None:
        """Residual of ``a + b f`` with b > 0, from the sums of f; ``None`` where f is constant or y falls with it."""
        spread = sff - sf * sf / self.w[-1]
        together = sfy - sf * self.y[-1] / self.w[-1]
        if spread <= 1e-12 or together <= 0:
            return None
        return max(0.0, self.total - together * together / spread)

    def mean(self, a: int, b: int) -> float:
        """From the ``a``-th to before the ``b``-th point."""
        return (self.y[b] - self.y[a]) / (self.w[b] - self.w[a])

    def level(self, a: int, b: int) -> float:
        """What a level between these points explains."""
        return (self.y[b] - self.y[a]) ** 2 / (self.w[b] - self.w[a])


def ramps(points: Points) -> Iterator[Fit]:
    sums = _Sums.of(points)
    last = len(KNOTS) - 1
    counts = [sum(1 for x in points.t if x <= knot) for knot in KNOTS]
    starts = sum(1 for knot in KNOTS[1:] if knot <= LATEST_START)
    yield Fit("steady", leaking=False, residual=sums.total, parameters=2)
    yield Fit("line", leaking=True, residual=sums.total, parameters=3, late=1.0)
    for i, start in enumerate(KNOTS[:-1]):
        for j in range(i + 1, len(KNOTS)):
            residual = sums.ramp(counts[i], start, counts[j], KNOTS[j])
            if residual is None:
                continue
            if j == last:
                late = 1 / (1 - start)
                if i == 0:
                    yield Fit("line", True, residual, 3, late=late)
                elif start <= LATEST_START:
                    yield Fit("late start", True, residual, 3, starts, start, late)
                else:
                    yield Fit("rise that has only just begun", False, residual, 3, last - starts, start, late)
            elif i == 0:
                yield Fit("plateau", False, residual, 3, last, KNOTS[j])
            else:
                yield Fit("rise between two plateaus", False, residual, 3, last * last // 2, KNOTS[j])
    yield from _steps(sums, counts)


def _steps(sums: _Sums, counts: Sequence[int]) -> Iterator[Fit]:
    """One step, and two steps upwards."""
    n, about_zero = len(sums.w) - 1, sums.total + sums.level(0, len(sums.w) - 1)
    inner = range(1, len(KNOTS) - 1)
    for i in inner:
        a = counts[i]
        if not 0 < a < n:
            continue
        if sums.mean(0, a) < sums.mean(a, n):
            residual = max(0.0, about_zero - sums.level(0, a) - sums.level(a, n))
            yield Fit("step", False, residual, 3, len(inner), KNOTS[i])
        for j in range(i + 1, len(KNOTS) - 1):
            b = counts[j]
            if a < b < n and sums.mean(0, a) < sums.mean(a, b) < sums.mean(b, n):
                residual = max(0.0, about_zero - sums.level(0, a) - sums.level(a, b) - sums.level(b, n))
                yield Fit("two steps", False, residual, 4, len(inner) ** 2 // 2, KNOTS[j])


def broken_lines(points: Points) -> Iterator[Fit]:
    """A first slope, a bend, a second slope: leaking where the second still rises."""
    knots = KNOTS[2:-2]
    ones = [1.0] * len(points.t)
    for knot in knots:
        solved = points.solve(ones, [min(x, knot) for x in points.t], [max(0.0, x - knot) for x in points.t])
        if solved is None:
            continue
        (_, first, second), residual = solved
        mean = first * knot + second * (1 - knot)
        if mean <= 0:
            continue
        late = second / mean
        name, leaking = _bent(knot, late)
        if late <= 1 or first >= 0:
            yield Fit(name, leaking, residual, 4, len(knots), knot, late)
    solved = points.solve(ones, points.t, [x * x for x in points.t])
    if solved is not None and solved[0][1] >= 0 and solved[0][2] > 0:
        (_, first, second), residual = solved
        yield Fit("accelerating", True, residual, 4, late=(first + 2 * second) / (first + second))


def _bent(knot: float, late: float) -> tuple[str, bool]:
    if late > 1:
        begun = knot > LATEST_START and late > JUST_BEGUN
        return ("rise that has only just begun", False) if begun else ("accelerating", True)
    if late >= LATE_SHARE_FLAT:
        return "bent line", True
    return ("plateau", False) if late > -LATE_SHARE_FLAT else ("rise and fall", False)


def warm_ups(points: Points) -> Iterator[Fit]:
    ones = [1.0] * len(points.t)
    for constant in WARM_UPS:
        curve = [1 - math.exp(-x / constant) for x in points.t]
        solved = points.solve(ones, curve)
        if solved is not None and solved[0][1] > 0:
            late = math.exp(-1 / constant) / constant
            yield Fit("warm-up", False, solved[1], 3, len(WARM_UPS), constant, late)
        solved = points.solve(ones, curve, points.t)
        if solved is not None and solved[0][1] > 0 and solved[0][2] > 0:
            late = solved[0][2] / (solved[0][1] + solved[0][2])
            if late >= LATE_SHARE_FLAT:
                yield Fit("warm-up with a line on top", True, solved[1], 4, len(WARM_UPS), constant, late)


def records(points: Points) -> Iterator[Fit]:
    """The most ever seen of something that varies grows like a logarithm: records become ever rarer."""
    ones = [1.0] * len(points.t)
    for scale in RECORDS:
        solved = points.solve(ones, [math.log1p(x / scale) for x in points.t])
        if solved is not None and solved[0][1] > 0:
            late = 1 / ((1 + scale) * math.log1p(1 / scale))
            yield Fit("ever rarer records", False, solved[1], 3, RECORDS_ODDS * len(RECORDS), scale, late)


def seasons(points: Points, span_s: float) -> Iterator[Fit]:
    """A day's sine, alone and on a line. Its swing may not be larger than what the window can show."""
    angle = 2 * math.pi * span_s / DAY_S
    ones = [1.0] * len(points.t)
    sine, cosine = [math.sin(angle * x) for x in points.t], [math.cos(angle * x) for x in points.t]
    solved = points.solve(ones, sine, cosine)
    if solved is not None and math.hypot(*solved[0][1:]) < 1.5:
        yield Fit("daily curve", leaking=False, residual=solved[1], parameters=4)
    solved = points.solve(ones, sine, cosine, points.t)
    if solved is not None and solved[0][3] > 0.2 and math.hypot(*solved[0][1:3]) < 1.5:
        yield Fit("daily curve on a line", leaking=True, residual=solved[1], parameters=5, late=1.0)


def loads(points: Points, work: Sequence[float]) -> Iterator[Fit]:
    """Growth with the work done (a leak per request), and a level that follows the rate of work (load)."""
    done = work[-1] - work[0]
    if done <= 0:
        return
    ones = [1.0] * len(points.t)
    share = [(w - work[0]) / done for w in work]
    solved = points.solve(ones, share)
    if solved is not None and solved[0][1] > 0:
        yield Fit("line along the work done", leaking=True, residual=solved[1], parameters=3, late=1.0)
    solved = points.solve(ones, _rates(points.t, share))
    if solved is not None and solved[0][1] > 0:
        yield Fit("load", leaking=False, residual=solved[1], parameters=3)


def _rates(t: Sequence[float], share: Sequence[float]) -> list[float]:
    rates = []
    for i in range(len(t)):
        a, b = max(0, i - 1), min(len(t) - 1, i + 1)
        rates.append((share[b] - share[a]) / (t[b] - t[a]) if t[b] > t[a] else 0.0)
    return rates
