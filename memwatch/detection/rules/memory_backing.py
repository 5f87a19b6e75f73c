"""Is there memory behind a count?"""

from __future__ import annotations

from memwatch.detection.case import Case, Decision
from memwatch.detection.statistics.estimators import theil_sen

BLOCKS_LATE_SHARE, BLOCKS_CONFIDENCE, BLOCKS_PER_OBJECT = 0.35, 0.8, 0.5
"""Over the last third, as imports allocate before it; half a block for an object, since an object is one at least."""

OWN_UNSURE = 0.5
"""What a kept snapshot takes is an estimate: half of it more or less, by how many names and numbers are shared."""


def memory_behind(case: Case) -> Decision | None:
    """8. Objects need blocks: a count can climb alone, when the collector starts to track what was there.

    Only where the blocks stand still: where they fall, something else gave back more than this took.
    """
    if case.series.kind != "objects":
        return None
    times, blocks = case.history.known("allocated_blocks")
    cut = case.times[-1] - BLOCKS_LATE_SHARE * case.span_s
    start = next((i for i, time in enumerate(times) if time >= cut), len(times))
    own = next((i for i, time in enumerate(case.times) if time >= cut), len(case.times))
    if len(times) - start < 4 or len(case.times) - own < 4:
        return None
    objects = theil_sen(case.times[own:], case.values[own:]).slope
    late = theil_sen(times[start:], blocks[start:], BLOCKS_CONFIDENCE)
    case.found |= {"late_objects_slope": objects, "late_blocks_slope": late.slope, "late_blocks_slope_high": late.high}
    still, kept = BLOCKS_PER_OBJECT * objects, _taken_off(case)
    if -still - kept < late.low and late.high + OWN_UNSURE * kept < still:
        return Decision("expected", "memory_behind", "no memory behind it: the allocated blocks stand still")
    return None


def _taken_off(case: Case) -> float:
    """Blocks a second that were taken off for snapshots, which the caller may keep in the process, or not."""
    own = case.history.own_blocks
    return 0.0 if case.watching or not own else sum(own) / case.history.span_s
