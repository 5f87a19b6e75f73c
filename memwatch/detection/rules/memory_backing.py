"""Is there memory behind a count?"""

from __future__ import annotations

from bisect import bisect_left

from memwatch.detection.case import HOUR_S, Case, Decision, Rule
from memwatch.detection.sentence import number
from memwatch.detection.statistics.estimators import theil_sen

BLOCKS_LATE_SHARE, BLOCKS_CONFIDENCE, BLOCKS_PER_OBJECT = 0.35, 0.8, 0.5
"""The last third, because imports allocate before it; half a block an object, because an object is at least one."""

OWN_UNSURE = 0.5
"""The size of a kept snapshot is an estimate, 50 % more or less, since names and numbers may be shared."""


def _memory_behind(case: Case) -> Decision | None:
    """Settle a count that climbs while no blocks are allocated: the collector began to track existing objects.

    Only where the blocks stand still: where they fall, something else freed more than this took.
    """
    if case.series.kind != "objects":
        return None
    times, blocks = case.history.known("allocated_blocks")
    cut = case.times[-1] - BLOCKS_LATE_SHARE * case.span_s
    start, own = bisect_left(times, cut), bisect_left(case.times, cut)
    if len(times) - start < 4 or len(case.times) - own < 4:
        return None
    objects = theil_sen(case.times[own:], case.values[own:]).slope
    late = theil_sen(times[start:], blocks[start:], BLOCKS_CONFIDENCE)
    case.statistics |= {
        "late_objects_slope": objects,
        "late_blocks_slope": late.slope,
        "late_blocks_slope_high": late.high,
    }
    still, kept = BLOCKS_PER_OBJECT * objects, _taken_off(case)
    if -still - kept < late.low and late.high + OWN_UNSURE * kept < still:
        return Decision("expected", "it takes no memory: the number of allocated blocks is constant")
    return None


def _taken_off(case: Case) -> float:
    """Blocks a second that were subtracted for snapshots that the caller may keep in the process."""
    own = case.history.own_blocks
    return 0.0 if case.watching or not own else sum(own) / case.history.span_s


def _explain(case: Case) -> str | None:
    high = case.statistics.get("late_blocks_slope_high")
    if high is None:
        return None
    late, objects = (case.statistics[name] * HOUR_S for name in ("late_blocks_slope", "late_objects_slope"))
    return (
        f"allocated blocks lately grow by {number(late)} an hour, at most by {number(high * HOUR_S)}; "
        f"{number(objects)} objects need {number(BLOCKS_PER_OBJECT * objects)}"
    )


MEMORY_BEHIND = Rule(
    name="memory_behind",
    question="Does it take memory?",
    decide=_memory_behind,
    explain=_explain,
    not_applicable="it counts no objects, or allocated blocks were not counted",
)
