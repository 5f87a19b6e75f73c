"""Regression of growth on many non-negative causes of which few are real, in the standard library alone.

Rows are steps between two looks at a level, whose noise :mod:`memwatch.detection.statistics.step_noise` makes
independent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import mul
from statistics import NormalDist

COLLINEAR = 1e-6
"""Share of a column's square that must be left beside the other columns for it to be a column of its own."""

TINY = 1e-7
"""Share of all squares that a column must take to be worth a place."""

LAGS = 8
"""Rows over which neighbours are held to have noise in common."""

EXACT = 1e-9
"""Residuals below this share of all squares are rounding."""


@dataclass(slots=True)
class Fit:
    """Columns with their non-negative coefficients, and what they leave of the squares."""

    columns: list[int]
    coefficients: list[float]
    inverse: list[list[float]]
    rest: float

    def of(self, column: int) -> float:
        """The column's coefficient; 0 where it is not in the fit."""
        return self.coefficients[self.columns.index(column)] if column in self.columns else 0.0


@dataclass(slots=True)
class Regression:
    """Least squares of ``target`` on subsets of ``columns``, both in rows of independent noise."""

    columns: list[list[float]]
    target: list[float]
    _products: dict[tuple[int, int], float] = field(default_factory=dict)
    _targets: dict[int, float] = field(default_factory=dict)
    squares: float = 0.0

    def __post_init__(self) -> None:
        self.squares = sum(map(mul, self.target, self.target))

    def product(self, a: int, b: int) -> float:
        """Of two columns."""
        key = (a, b) if a < b else (b, a)
        found = self._products.get(key)
        if found is None:
            found = self._products[key] = sum(map(mul, self.columns[a], self.columns[b]))
        return found

    def with_target(self, column: int) -> float:
        """The product of a column and the target."""
        found = self._targets.get(column)
        if found is None:
            found = self._targets[column] = sum(map(mul, self.columns[column], self.target))
        return found

    def fit(self, columns: Iterable[int], near: Fit | None = None) -> Fit:
        """Non-negative least squares (Lawson and Hanson), begun at a fit that may be ``near``.

        Columns that would get a negative coefficient, or that others make up, are left out.
        """
        wanted = list(columns)
        chosen, inverse = self._shared(near, wanted)
        refused: set[int] = set()
        dropped: Counter[int] = Counter()
        best = -1
        while True:
            chosen, coefficients, inverse, negative = self._solved(chosen, inverse)
            dropped.update(negative)
            refused.update(column for column in negative if column == best or dropped[column] > 2)
            best, gain = -1, TINY * self.squares
            for column in wanted:
                if column in chosen or column in refused or not (size := self.product(column, column)):
                    continue
                slope = self.with_target(column)
                for other, coefficient in zip(chosen, coefficients, strict=True):
                    slope -= coefficient * self.product(column, other)
                if slope > 0 and slope * slope > gain * size:
                    best, gain = column, slope * slope / size
            if best < 0:
                break
            grown = self._grown(chosen, inverse, best)
            if grown is None:
                refused.add(best)
            else:
                chosen, inverse = [*chosen, best], grown
        rest = self.squares - sum(map(mul, coefficients, map(self.with_target, chosen)))
        return Fit(chosen, coefficients, inverse, max(rest, EXACT * self.squares))

    def _shared(self, near: Fit | None, wanted: Sequence[int]) -> tuple[list[int], list[list[float]]]:
        if near is None:
            return [], []
        chosen, inverse = list(near.columns), near.inverse
        for column in near.columns:
            if column not in wanted:
                place = chosen.index(column)
                inverse = _without(inverse, place)
                del chosen[place]
        return chosen, inverse

    def _solved(
        self, chosen: list[int], inverse: list[list[float]]
    ) -> tuple[list[int], list[float], list[list[float]], list[int]]:
        """Columns, coefficients and inverse without negative coefficients, and the columns that had them."""
        chosen = list(chosen)
        negative: list[int] = []
        while True:
            targets = [self.with_target(column) for column in chosen]
            coefficients = [sum(map(mul, row, targets)) for row in inverse]
            if not coefficients or min(coefficients) >= 0:
                return chosen, coefficients, inverse, negative
            # By the size of their squares, so that the units of the columns do not matter.
            losses = [min(0.0, value) ** 2 / inverse[i][i] for i, value in enumerate(coefficients)]
            worst = losses.index(max(losses))
            inverse = _without(inverse, worst)
            negative.append(chosen.pop(worst))

    def _grown(self, chosen: Sequence[int], inverse: list[list[float]], column: int) -> list[list[float]] | None:
        """The inverse with one more column; ``None`` where the others make it up."""
        size = self.product(column, column)
        products = [self.product(column, other) for other in chosen]
        pulls = [sum(map(mul, row, products)) for row in inverse]
        left = size - sum(map(mul, pulls, products))
        return _with(inverse, pulls, left) if left > COLLINEAR * size else None

    def _beside(self, column: int, others: Sequence[int], inverse: Sequence[Sequence[float]]) -> float:
        """The column's square beside the others."""
        products = [self.product(column, other) for other in others]
        rows = zip(products, inverse, strict=True)
        return self.product(column, column) - math.fsum(product * sum(map(mul, row, products)) for product, row in rows)

    def gains(self, base: Fit, candidates: Iterable[int]) -> dict[int, float]:
        """What each candidate would take off the base's rest; only those with a positive coefficient."""
        gains = {}
        for column in candidates:
            if column in base.columns or (slope := self._slope(base, column)) <= 0:
                continue
            left = self._beside(column, base.columns, base.inverse)
            if left > COLLINEAR * self.product(column, column):
                gains[column] = slope**2 / left
        return gains

    def joining(self, base: Fit, column: int) -> tuple[float, float]:
        """The coefficient, of either sign, of a column that joins the base, and what it would take off the rest.

        Both are 0 where the base makes it up.
        """
        left = self._beside(column, base.columns, base.inverse)
        if left <= COLLINEAR * self.product(column, column):
            return 0.0, 0.0
        slope = self._slope(base, column)
        return slope / left, slope**2 / left

    def _slope(self, base: Fit, column: int) -> float:
        """The product of a column and what the base leaves of the target."""
        products = (self.product(column, other) for other in base.columns)
        made_up: float = sum(map(mul, products, base.coefficients))
        return self.with_target(column) - made_up

    def residuals(self, fit: Fit) -> list[float]:
        """Target less fit, row by row."""
        rest = list(self.target)
        for column, coefficient in zip(fit.columns, fit.coefficients, strict=True):
            rest = [value - coefficient * x for value, x in zip(rest, self.columns[column], strict=True)]
        return rest

    def error(self, fit: Fit, column: int) -> float:
        """The standard error of a coefficient where noise differs from row to row, and neighbours may have the same.

        HC3 (MacKinnon and White, 1985), or Newey and West (1987) where that is larger: a cause that no column
        describes well shows in many rows in succession.
        """
        place = fit.columns.index(column)
        pulled = []
        rows = zip(*(self.columns[other] for other in fit.columns), strict=True)
        for row, rest in zip(rows, self.residuals(fit), strict=True):
            pulls = [sum(map(mul, line, row)) for line in fit.inverse]
            leverage = min(sum(map(mul, pulls, row)), 0.99)
            pulled.append(pulls[place] * rest / (1 - leverage))
        alone = total = sum(map(mul, pulled, pulled))
        for lag in range(1, LAGS + 1):
            total += 2 * (1 - lag / (LAGS + 1)) * sum(map(mul, pulled, pulled[lag:]))
        return math.sqrt(max(alone, total))


def student_quantile(freedom: int, confidence: float = 0.95) -> float:
    """Two-sided quantile of Student's t (Cornish-Fisher's expansion, within 1 % from 4 degrees on)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    n = max(freedom, 1)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )


def _with(inverse: list[list[float]], pulls: list[float], left: float) -> list[list[float]]:
    """The inverse with one more column: ``pulls`` make the most of it up, ``left`` of its square is its own."""
    rows = [
        [a + pull * b / left for a, b in zip(row, pulls, strict=True)] for row, pull in zip(inverse, pulls, strict=True)
    ]
    for row, pull in zip(rows, pulls, strict=True):
        row.append(-pull / left)
    return [*rows, [*(-pull / left for pull in pulls), 1 / left]]


def _without(inverse: list[list[float]], place: int) -> list[list[float]]:
    """The inverse with one column less."""
    gone = inverse[place]
    pivot = gone[place]
    rows = [
        [a - row[place] * b / pivot for a, b in zip(row, gone, strict=True)]
        for i, row in enumerate(inverse)
        if i != place
    ]
    for row in rows:
        del row[place]
    return rows
