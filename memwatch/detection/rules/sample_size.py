"""Is there enough to judge by? What a handful of points can say, and what it cannot."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from memwatch.detection.case import Case, Decision
from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.rules.memory_backing import BLOCKS_CONFIDENCE, BLOCKS_PER_OBJECT
from memwatch.detection.series import takes_blocks
from memwatch.detection.statistics.estimators import drawdown, theil_sen

MIN_POINTS = 8
"""Fewer show neither a plateau nor a saw-tooth."""

WATCH_SPAN_S = 60.0
"""... and for the first minute of a process to pass: imports, connections and caches are filled in it."""

WATCH_MEMORY_SPAN_S = 540.0
"""... and longer for memory that neither a type nor a container explains: the interpreter's free lists (40,000 tuples
in CPython 3.11, emptied by full collections only), statement caches and arenas fill in the first minutes."""

FEW_RISING, FEW_LATE_SHARE = 0.8, 0.3
"""Of so few steps this share must rise, and the later half at this share of the mean rate."""
DIRECT_LATE_SHARE, DIRECT_LAST_SHARE = 0.7, 0.5
"""The length of one container has no noise: a rate that falls is one that ends. The last step
may be half a job short."""

LET_GO_SHARE = 0.5
"""Looks that are fewer than the snapshots may miss that a container is emptied; half of its growth in blocks let go
between two snapshots is a sign of it."""

WATCH_LOOKS = 6
"""Looks at containers are dearer than counts and come at every third to fifth."""


def few_points(case: Case) -> Decision | None:
    """2b. Too few for statistics: an explicit question gets the contract's answer, with low confidence.

    The length of one container has no noise, so that a few looks at it tell more than many counts of a type.
    """
    n = len(case.values)
    direct = case.series.unit == "entries"
    if case.watching and (n < (WATCH_LOOKS if direct else WATCH_POINTS) or case.span_s < WATCH_SPAN_S):
        return Decision("not enough data", "few_points", f"{n} points over {case.span_s:.0f} s")
    if case.watching and case.series.unit in ("blocks", "KiB") and case.span_s < WATCH_MEMORY_SPAN_S:
        return Decision("not enough data", "few_points", f"memory alone, and {case.span_s:.0f} s of it")
    if n >= (WATCH_POINTS if direct else MIN_POINTS):
        return None
    rates = [(b - a) / (u - t) for (t, u), (a, b) in zip(pairwise(case.times), pairwise(case.values), strict=True)]
    rising = sum(rate > 0 for rate in rates) / len(rates)
    half = len(rates) // 2
    late = (case.values[-1] - case.values[half]) / (case.times[-1] - case.times[half])
    overall = case.growth / case.span_s
    case.found["rising_steps"] = rising
    goes_on = late >= FEW_LATE_SHARE * overall
    if direct:
        goes_on = late >= DIRECT_LATE_SHARE * overall and rates[-1] >= DIRECT_LAST_SHARE * median(rates)
    if (direct or case.gate == "contract") and rising >= FEW_RISING and goes_on:
        return _full_by_now(case) or Decision("leak", "few_points", "rises from point to point")
    return Decision("not enough data", "few_points", f"{n} points do not show whether it goes on")


def _full_by_now(case: Case) -> Decision | None:
    """A look is overdue when nothing grows: blocks that stand still since the last one say what it would show."""
    container = case.series.container
    if container is None or not takes_blocks(container):
        return None
    times, blocks = case.history.known("allocated_blocks")
    if not case.watching and drawdown(blocks) > LET_GO_SHARE * case.growth:
        return Decision("not enough data", "few_points", "blocks come and go by as much: it may be let go of")
    start = next((i for i, time in enumerate(times) if time >= case.times[-1]), len(times))
    overdue = times[-1] - case.times[-1] > median(b - a for a, b in pairwise(case.times)) if times else False
    if not overdue or len(times) - start < 4:
        return None
    late, entries = theil_sen(times[start:], blocks[start:], BLOCKS_CONFIDENCE), case.growth / case.span_s
    case.found |= {"late_blocks_slope": late.slope, "late_blocks_slope_high": late.high}
    if late.high >= BLOCKS_PER_OBJECT * entries:
        return None
    return Decision("expected", "few_points", "it grew, and no block was allocated for it since it was last looked at")
