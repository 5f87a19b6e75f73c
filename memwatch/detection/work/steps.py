"""What happened between two censuses, and columns made of many such steps for a regression of growth."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in a process between two censuses."""

    seconds: float
    growth: float
    """Of the leaking figure."""
    calls: Mapping[int, int]
    """That ended in between, by work."""
    blocks: float | None = None
    """Growth of all allocated blocks, where it was measured."""


def called(steps: Iterable[Step]) -> frozenset[int]:
    """The works that were called."""
    return frozenset(work for step in steps for work, calls in step.calls.items() if calls > 0)


def added_up(steps: Iterable[Step], works: Collection[int]) -> list[float]:
    """The calls of several works in each step."""
    return [float(sum(n for work, n in step.calls.items() if work in works)) for step in steps]


def in_flight(lengths: Sequence[int], calls: Sequence[float]) -> list[list[float]]:
    """What comes and goes with the load: a census also counts objects of the calls that run just then.

    ``lengths``: of the runs that the steps are.
    """
    before, after, start = [], [], 0
    for length in lengths:
        run = calls[start : start + length]
        before += [0.0, *(b - a for a, b in pairwise(run))]
        after += [*(b - a for a, b in pairwise(run)), 0.0]
        start += length
    return [before, after]


def fading(lengths: Sequence[int], calls: Sequence[float], share: float) -> list[float]:
    """What calls add to a cache of each process until it is full: after about that share of its calls."""
    column: list[float] = []
    start = 0
    for length in lengths:
        run = calls[start : start + length]
        scale, seen = max(1.0, share * sum(run)), 0.0
        for number in run:
            column.append(scale * (math.exp(-seen / scale) - math.exp(-(seen + number) / scale)))
            seen += number
        start += length
    return column
