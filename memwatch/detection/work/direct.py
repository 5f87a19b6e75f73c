"""What single calls of views, tasks and commands kept, and whether that goes with a leak."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from memwatch.detection.statistics.nonnegative import student_quantile
from memwatch.detection.work.steps import Step

LEAST_CALLS = 10
"""Measured calls from which on they say something."""
SURE = 0.999
"""Confidence that blocks are kept at all: many names are looked at."""
BLOCKS_EACH = (0.5, 100.0)
"""Blocks that one leaked object, entry or block may take: with its dict, strings and lists."""
MOST_SURPLUS = 0.5
"""Share of what names kept that the processes do not have: with more, single calls show garbage, not a leak."""
USUAL_EACH, USUAL_SPREAD = 4.0, 1.2
"""The usual number of blocks of a leaked object, and the standard deviation of its logarithm."""


@dataclass(frozen=True, slots=True)
class Direct:
    """Memory blocks kept in the calls of one work that ran alone in their process."""

    calls: int
    blocks_calls: int
    blocks: float
    blocks_squares: float
    seconds: float = 0.0
    """Of all calls together."""

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
    """The direct figures of all work, against what the processes kept.

    Cyclic garbage that a call makes counts as kept by it. The collector takes it away in a call of other work, which
    then keeps less than nothing, or outside of calls. As much of what the names keep need not be a leak.

    What a thread or a timer keeps while a call runs counts as kept by the call, too. So a name must keep more than
    the processes grow anyway in the time of its calls.
    """

    def __init__(
        self, direct: Mapping[int, Direct], steps: Iterable[Step] = (), claimed: Mapping[int, float] | None = None
    ) -> None:
        """``claimed``: blocks a call, by work, that other leaks are explained by."""
        self.direct = direct
        self.intervals = {work: found for work, kept in direct.items() if (found := kept.interval(SURE)) is not None}
        calls: Counter[int] = Counter()
        grown = seconds = 0.0
        for step in steps:
            if step.blocks is not None:
                grown += step.blocks
                seconds += step.seconds
                calls.update(step.calls)
        pace = max(grown, 0.0) / seconds if seconds > 0 else 0.0
        self.others = dict(claimed or {})
        """Blocks a call that are kept for another leak, or by what else runs in the meantime."""
        for work, each in direct.items():
            if each.calls > 0:
                self.others[work] = self.others.get(work, 0.0) + pace * each.seconds / each.calls
        kept = sum(mean * calls[work] for work, (mean, low, _high) in self.intervals.items() if low > 0)
        self.surplus = min(1.0, max(0.0, 1 - max(grown, 0.0) / kept)) if kept > 0 and calls else 0.0
        blocks = {work: mean * direct[work].calls for work, (mean, *_bounds) in self.intervals.items()}
        collected = -sum(blocks[work] for work, (_mean, _low, high) in self.intervals.items() if high < 0)
        more = sum(blocks[work] for work, (_mean, low, _high) in self.intervals.items() if low > 0)
        self.garbage = {work: max(0.0, collected - (more - kept)) for work, kept in blocks.items()}

    def keeps(self, work: int, per_call: float) -> bool | None:
        """Whether the work keeps the blocks that growth of ``per_call`` takes; ``None`` where that is not known."""
        found = self.intervals.get(work)
        if found is None:
            return None
        mean, low, high = found
        least, most = (per_call * blocks for blocks in BLOCKS_EACH)
        if 0 <= high < least and low > -least:
            return False
        own = low - self.others.get(work, 0.0)
        sure = own * self.direct[work].calls > self.garbage[work] and self.surplus < MOST_SURPLUS
        return True if own > 0 and sure and least <= mean <= most else None

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
