"""Does the memory of a process grow steadily? By resident memory alone, before its objects are known.

This is no verdict of a leak: a warm-up and a cache that fills grow steadily for a while too. It shows what can be seen
within ten minutes, and ends by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from memwatch.detection.rules.gates import MEMORY_SHARE, WATCH_MEMORY_KIB

STRETCHES = 10
"""Intervals of a window. Only the floor of each counts, because freed memory is no growth."""
STRETCH_INTERVALS = 2
"""Snapshot intervals in one of them: one snapshot may be late or missing."""
LEAST_STRETCHES = 5
"""Least floors: five intervals of two minutes are ten minutes."""
RISING_SHARE = 0.8
"""Share of the steps between floors that must not fall, as for few points (``rules.sample_size``)."""
LARGEST_STEP = 0.5
"""A step with a larger share of the gain is a jump, which is no rate."""
WARM_UP_STEPS = 3
"""First steps in which a new process may jump (imports, connections). The growth after such a jump is judged alone."""
LATE_SHARE = 0.3
"""Rate of the later half as a share of the whole rate; below it the growth was a warm-up."""


@dataclass(frozen=True, slots=True)
class SteadyGrowth:
    """Growth of resident memory over the last intervals."""

    since_s: float
    """Seconds from the first floor to the end of the window."""
    kib_per_hour: float


def steady_growth(floors: Sequence[float | None], stretch_s: float, *, growing: bool = False) -> SteadyGrowth | None:
    """The growth of floors that rise steadily, else ``None``.

    ``floors``: of equal intervals, in KiB, oldest first; ``None`` without a snapshot. ``growing``: the process was
    growing before, so that floors which fall or jump do not end it.
    """
    known = [(number, floor) for number, floor in enumerate(floors) if floor is not None]
    if len(known) < LEAST_STRETCHES:
        return None
    values = [floor for _number, floor in known]
    gain = values[-1] - values[0]
    if gain < max(WATCH_MEMORY_KIB, MEMORY_SHARE * values[0]):
        return None
    steps = [after - before for before, after in itertools.pairwise(values)]
    if not growing:
        if sum(step >= 0 for step in steps) < RISING_SHARE * len(steps):
            return None
        if max(steps) > LARGEST_STEP * gain:
            return _after_the_start(floors, stretch_s, known[0][0], steps.index(max(steps)))
    middle = len(values) // 2
    rate = gain / (known[-1][0] - known[0][0])
    late = (values[-1] - values[middle]) / (known[-1][0] - known[middle][0])
    if late < LATE_SHARE * rate:
        return None
    return SteadyGrowth(since_s=(len(floors) - known[0][0]) * stretch_s, kib_per_hour=rate / stretch_s * 3600)


def _after_the_start(floors: Sequence[float | None], stretch_s: float, first: int, jump: int) -> SteadyGrowth | None:
    """Where the window shows the process's start, and the jump was there: what the rest shows."""
    if first == 0 or jump >= WARM_UP_STEPS:
        return None
    after = first + jump + 1
    return steady_growth([None] * after + list(floors[after:]), stretch_s)
