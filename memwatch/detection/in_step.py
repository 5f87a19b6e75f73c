"""Series held against each other: which move as one."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from memwatch.detection.case import Case
from memwatch.detection.statistics.estimators import correlation
from memwatch.detection.verdict import Verdict

IN_STEP = 0.95
"""Correlation of levels from which two series are one movement."""

MIN_STEPS, SAME_STEPS = 8, 0.9


@dataclass(frozen=True, slots=True)
class Judged:
    """A series' case and its verdict before grouping."""

    case: Case
    verdict: Verdict


def correlation_of(a: Case, b: Case) -> float:
    """Of their levels at common times."""
    x, y = _common(a, b)
    return correlation(x, y) if len(x) > 2 else 0.0


def same_steps(a: Case, b: Case) -> bool:
    """Whether both grow by as many from point to point."""
    x, y = _common(a, b)
    steps = [(q - p, s - r) for p, q, r, s in zip(x, x[1:], y, y[1:], strict=False)]
    return len(steps) >= 4 and sum(abs(u - v) <= 1 for u, v in steps) >= SAME_STEPS * len(steps)


def holds_several(holder: Case, held: Case) -> bool:
    """Whether each step of ``held`` is the same multiple (over 1) of the holder's, while the steps differ.

    Steps that are all alike prove nothing: two leaks under one steady load look so. Nor does one to one: a request
    that leaks two things does that.
    """
    x, y = _common(holder, held)
    steps = [(b - a, d - c) for a, b, c, d in zip(x, x[1:], y, y[1:], strict=False) if b != a or d != c]
    if len(steps) < MIN_STEPS or len({step for step, _ in steps}) < 3:
        return False
    ratio = median(d / b if b else 0.0 for b, d in steps)
    if ratio < 1.5:
        return False
    same = sum(abs(d - ratio * b) <= 0.5 for b, d in steps)
    return same >= SAME_STEPS * len(steps)


def _common(a: Case, b: Case) -> tuple[list[float], list[float]]:
    other = dict(zip(b.times, b.values, strict=True))
    pairs = [(value, other[time]) for time, value in zip(a.times, a.values, strict=True) if time in other]
    return [x for x, _ in pairs], [y for _, y in pairs]
