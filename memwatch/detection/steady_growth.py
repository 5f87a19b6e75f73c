"""Does the memory of a process grow steadily? Asked of resident memory alone, before its objects are known.

It is no verdict of a leak: a warm-up and a cache that fills grow steadily too, for a while. It says what can be seen
within ten minutes, and ends by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from memwatch.detection.rules.gates import MEMORY_SHARE, WATCH_MEMORY_KIB

STRETCHES = 10
"""A window is cut into so many stretches; of each only the floor counts, since a peak that is given back is none."""
STRETCH_INTERVALS = 2
"""Snapshot intervals of a stretch: one snapshot may be late or missing."""
LEAST_STRETCHES = 5
"""Fewer floors say nothing: five stretches of two minutes are ten minutes."""
RISING_SHARE = 0.8
"""Of the steps between floors so many do not fall: as rule 2 of the detection asks of few points."""
LARGEST_STEP = 0.5
"""One step with more of the gain than this is a jump, which is no rate."""
WARM_UP_STEPS = 3
"""A process that has just started jumps in these: imports, connections. What came after that is looked at alone."""
LATE_SHARE = 0.3
"""The later half still grows at this share of the whole rate, else it was a warm-up: rule 6 of the detection."""


@dataclass(frozen=True, slots=True)
class SteadyGrowth:
    """Growth of resident memory over the last stretches."""

    since_s: float
    """How long before the end of the window its first floor was, in seconds."""
    kib_per_hour: float


def steady_growth(floors: Sequence[float | None], stretch_s: float, *, growing: bool = False) -> SteadyGrowth | None:
    """What the floors of equal stretches (KiB, oldest first, ``None`` without a snapshot) show, if they rise steadily.

    ``growing``: it was said of the process before; then floors that fall or jump now and then do not end it.
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
