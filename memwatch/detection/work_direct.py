"""What single calls of views, tasks and commands kept, and whether that goes with a leak."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from memwatch.detection.statistics.nonnegative import student_quantile

LEAST_CALLS = 10
"""Measured calls from which on they say something."""
SURE = 0.999
"""Confidence that blocks are kept at all: many names are looked at."""
BLOCKS_EACH = (0.5, 100.0)
"""Blocks that one leaked object, entry or block may take: with its dict, strings and lists."""
USUAL_EACH, USUAL_SPREAD = 4.0, 1.2
"""The usual number of them, and the standard deviation of its logarithm."""


@dataclass(frozen=True, slots=True)
class Direct:
    """Memory blocks kept in the calls of one work that ran alone in their process."""

    calls: int
    blocks_calls: int
    blocks: float
    blocks_squares: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float, float] | None:
        """``(mean, low, high)`` of blocks a call."""
        n = self.blocks_calls
        if n < LEAST_CALLS:
            return None
        mean = self.blocks / n
        variance = max(0.0, self.blocks_squares / n - mean**2) * n / (n - 1)
        half = student_quantile(n - 1, confidence) * math.sqrt(variance / n)
        return mean, mean - half, mean + half


class Kept:
    """The direct figures of all work.

    Cyclic garbage that one call makes may be collected in another: the other keeps less than nothing, and as much of
    what the names keep need not be a leak.
    """

    def __init__(self, direct: Mapping[int, Direct]) -> None:
        self.direct = direct
        self.intervals = {work: found for work, kept in direct.items() if (found := kept.interval(SURE)) is not None}
        self.blocks = {work: mean * direct[work].calls for work, (mean, *_bounds) in self.intervals.items()}
        self.collected = -sum(self.blocks[work] for work, (_mean, _low, high) in self.intervals.items() if high < 0)
        self.more = sum(self.blocks[work] for work, (_mean, low, _high) in self.intervals.items() if low > 0)

    def keeps(self, work: int, per_call: float) -> bool | None:
        """Whether the work keeps the blocks that growth of ``per_call`` takes; ``None`` where that is not known."""
        found = self.intervals.get(work)
        if found is None:
            return None
        mean, low, high = found
        least, most = (per_call * blocks for blocks in BLOCKS_EACH)
        if 0 <= high < least and low > -least:
            return False
        others = self.more - self.blocks[work]
        if low > 0 and low * self.direct[work].calls > self.collected - others and least <= mean <= most:
            return True
        return None

    def unlikely(self, work: int, per_call: float) -> float:
        """How far the kept blocks are from what such growth usually takes, as twice a log-likelihood."""
        mean = self.intervals[work][0]
        return (math.log(mean / per_call / USUAL_EACH) / USUAL_SPREAD) ** 2

    def scaled(self, work: int, per_call: float) -> tuple[float, float]:
        """An interval about ``per_call``, as wide as that of the blocks."""
        found = self.direct[work].interval()
        if found is None or found[0] <= 0:
            return 0.0, 2 * per_call
        mean, low, high = found
        return per_call * max(0.0, low / mean), per_call * high / mean
