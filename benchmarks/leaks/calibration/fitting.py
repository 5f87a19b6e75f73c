"""Fits the weights, and says how well they are calibrated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.leaks.calibration.samples import Told

BINS = 10
RIDGE = 0.02
"""Pulls weights towards 0 where the samples do not say; in the weight of the samples."""
ROUNDS = 60


def fit(told: Sequence[Told]) -> dict[str, float]:
    """Logistic regression by Newton's method, with the weights of the samples."""
    names = sorted(told[0].features)
    rows = [[1.0, *(one.features[name] for name in names)] for one in told]
    scale = len(told) / sum(one.weight for one in told)
    size = len(names) + 1
    found = [0.0] * size
    for _ in range(ROUNDS):
        hessian = [
            [RIDGE * len(told) / 100 * (i == j and i > 0) + 1e-9 * (i == j) for j in range(size)] for i in range(size)
        ]
        gradient = [-hessian[i][i] * found[i] for i in range(size)]
        for one, row in zip(told, rows, strict=True):
            value = _sigmoid(sum(a * b for a, b in zip(found, row, strict=True)))
            slope = one.weight * scale * value * (1 - value)
            miss = one.weight * scale * (one.is_leak - value)
            for i in range(size):
                gradient[i] += miss * row[i]
                for j in range(size):
                    hessian[i][j] += slope * row[i] * row[j]
        step = _solved(hessian, gradient)
        found = [value + change for value, change in zip(found, step, strict=True)]
        if max(map(abs, step)) < 1e-8:
            break
    return dict(zip(("constant", *names), (round(value, 4) for value in found), strict=True))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, value))))


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss's elimination with pivots."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for at in range(size):
        pivot = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[pivot] = rows[pivot], rows[at]
        for row in range(size):
            if row != at:
                share = rows[row][at] / rows[at][at]
                rows[row] = [a - share * b for a, b in zip(rows[row], rows[at], strict=True)]
    return [rows[at][size] / rows[at][at] for at in range(size)]


@dataclass(frozen=True, slots=True)
class Bin:
    """A tenth of the verdicts, by probability."""

    told: float
    """Mean probability."""
    true: float
    """Share that are leaks."""
    count: int
    weight: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How well probabilities fit."""

    bins: Sequence[Bin]
    brier: float
    """Mean squared error."""
    base: float
    """The same where every verdict had the mean of all."""

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of the bins from the truth."""
        return sum(each.weight * abs(each.told - each.true) for each in self.bins)


def quality(told: Sequence[Told], probabilities: Sequence[float]) -> Quality:
    """Reliability in bins of about equal weight; equal probabilities share a bin."""
    total = sum(one.weight for one in told)
    mean = sum(one.weight * one.is_leak for one in told) / total
    levels: dict[float, list[tuple[float, Told]]] = {}
    for value, one in sorted(zip(probabilities, told, strict=True), key=lambda pair: pair[0]):
        levels.setdefault(round(value, 4), []).append((value, one))
    groups: list[list[tuple[float, Told]]] = [[] for _ in range(BINS)]
    before = 0.0
    for level in levels.values():
        weight = sum(one.weight for _value, one in level)
        groups[min(BINS - 1, int((before + weight / 2) / total * BINS))] += level
        before += weight
    errors = (one.weight * (value - one.is_leak) ** 2 for level in levels.values() for value, one in level)
    return Quality([_bin(group, total) for group in groups if group], sum(errors) / total, mean * (1 - mean))


def _bin(group: Sequence[tuple[float, Told]], total: float) -> Bin:
    weight = sum(one.weight for _value, one in group)
    return Bin(
        told=sum(one.weight * value for value, one in group) / weight,
        true=sum(one.weight * one.is_leak for _value, one in group) / weight,
        count=len(group),
        weight=weight / total,
    )


def written(weights: Mapping[str, Mapping[str, float]], source: str) -> Iterator[str]:
    """The module that memwatch reads."""
    yield '"""Weights of the probability of a leak. Written by ``python -m benchmarks.leaks.calibration --write``."""'
    yield ""
    yield "from __future__ import annotations"
    yield ""
    yield "from collections.abc import Mapping"
    yield ""
    yield f'SOURCE = "{source}"'
    yield '"""What the weights were fitted on."""'
    yield ""
    yield "WEIGHTS: Mapping[str, Mapping[str, float]] = {"
    for kind, row in sorted(weights.items()):
        yield f'    "{kind}": {{' + ", ".join(f'"{name}": {value}' for name, value in row.items()) + "},"
    yield "}"
    yield '"""By kind of judgement, the weights of a logistic function of its features (``probability.features``)."""'
