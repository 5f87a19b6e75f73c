"""The noise of steps between two looks at a level, in runs without a gap.

It has two parts: what stays (steps are independent), and what was there only at the look (it comes and goes, so
neighbouring steps have opposite errors). :meth:`Noise.whitened` turns both into independent noise of equal size, given
their kind; the residuals of a fit show the kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import mul
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of noise: how much of it comes and goes, and how long that stays."""

    ratio: float
    """Variance of what comes and goes, as a multiple of the variance of what stays in a step."""
    lasting: float = 0.0
    """Correlation of what comes and goes from one look to the next: garbage waits for the collector."""


KINDS = (
    *map(Kind, (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)),
    *(Kind(ratio, 0.7) for ratio in (3.0, 30.0, 1000.0)),
)


@dataclass(frozen=True, slots=True)
class Noise:
    """How to make the noise of steps independent: each row takes over a part of the row before it."""

    carries: list[float]
    scales: list[float]
    lasts: list[float] | None
    """What is left of the row before it, taken away first."""

    @classmethod
    def of(cls, runs: Sequence[Sequence[float]], kind: Kind) -> Noise:
        """``runs``: each row's variance of what stays, in runs. The Cholesky factor of a tridiagonal covariance."""
        ratio, lasting = kind
        carries: list[float] = []
        scales: list[float] = []
        lasts: list[float] = []
        for run in runs:
            lasts += [0.0, *([lasting] * (len(run) - 1))]
            carry = less = 0.0
            for stays in run:
                variance = stays + 2 * ratio - less
                carries.append(carry)
                scales.append(1 / math.sqrt(variance))
                carry, less = ratio / variance, ratio**2 / variance
        return cls(carries, scales, lasts if lasting else None)

    def whitened(self, column: Iterable[float]) -> list[float]:
        """The column as it is in rows of independent noise."""
        level, white = 0.0, []
        if self.lasts is not None:
            values = list(column)
            column = [
                value - last * was for value, last, was in zip(values, self.lasts, [0.0, *values[:-1]], strict=True)
            ]
        for value, carry, scale in zip(column, self.carries, self.scales, strict=True):
            level = value + carry * level
            white.append(level * scale)
        return white

    def log_likelihood(self, residuals: Sequence[float]) -> float:
        """Of residuals (not whitened) under normal noise of unknown size."""
        white = self.whitened(residuals)
        squares = max(sum(map(mul, white, white)), 1e-300)
        return sum(map(math.log, self.scales)) - len(white) / 2 * math.log(squares)


def likely_kind(runs: Sequence[Sequence[float]], residuals: Sequence[float], kinds: Sequence[Kind] = KINDS) -> Kind:
    """The kind of noise under which the residuals are likeliest."""
    return max(kinds, key=lambda kind: Noise.of(runs, kind).log_likelihood(residuals))
