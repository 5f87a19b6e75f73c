"""Are there enough points? What a handful of them can show, and what not."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from statistics import median

from memwatch.detection.case import Case, Decision, Rule
from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.rules.memory_backing import BLOCKS_CONFIDENCE, BLOCKS_PER_OBJECT
from memwatch.detection.series import takes_blocks
from memwatch.detection.statistics.estimators import drawdown, theil_sen

MIN_POINTS = 8
"""Fewer points show neither a plateau nor a saw-tooth."""

WATCH_SPAN_S = 60.0
"""A standing watch also waits for the first minute of a process, with its imports, connections and caches."""

WATCH_MEMORY_SPAN_S = 540.0
"""It waits longer for memory that neither a type nor a container explains: the interpreter's free lists (40,000 tuples
in CPython 3.11, emptied by full collections only), statement caches and arenas fill in the first minutes."""

FEW_RISING, FEW_LATE_SHARE = 0.8, 0.3
"""With few points: least share of rising steps, and least rate of the later half as a share of the mean rate."""
DIRECT_LATE_SHARE, DIRECT_LAST_SHARE = 0.7, 0.5
"""The length of one container has no noise: a falling rate is one that ends. The last step may be half a job short."""

LET_GO_SHARE = 0.5
"""Censuses are rarer than snapshots and may miss that a container is emptied. A fall of the blocks between two
snapshots by half of its growth is a sign of it."""

WATCH_LOOKS = 6
"""Censuses of containers a standing watch waits for: they cost more than counts and come with every third to fifth."""


def _few_points(case: Case) -> Decision | None:
    """Settle what has too few points for statistics: given snapshots get the contract's answer, with low confidence.

    The length of one container has no noise: a few of them show more than many counts of a type.
    """
    n = len(case.values)
    direct = case.series.unit == "entries"
    if case.watching and (n < (WATCH_LOOKS if direct else WATCH_POINTS) or case.span_s < WATCH_SPAN_S):
        return Decision("not enough data", f"only {n} points over {case.span_s:.0f} s")
    if case.watching and case.is_unnamed_memory and case.span_s < WATCH_MEMORY_SPAN_S:
        return Decision("not enough data", f"only {case.span_s:.0f} s of memory without a type or container")
    if n >= (WATCH_POINTS if direct else MIN_POINTS):
        return None
    rates = case.step_rates
    rising = sum(rate > 0 for rate in rates) / len(rates)
    half = len(rates) // 2
    late = (case.values[-1] - case.values[half]) / (case.times[-1] - case.times[half])
    overall = case.growth / case.span_s
    case.statistics["rising_steps"] = rising
    goes_on = late >= FEW_LATE_SHARE * overall
    if direct:
        goes_on = late >= DIRECT_LATE_SHARE * overall and rates[-1] >= DIRECT_LAST_SHARE * median(rates)
    if (direct or case.gate == "contract") and rising >= FEW_RISING and goes_on:
        return _full_by_now(case) or Decision("leak", "rises from point to point")
    return Decision("not enough data", f"{n} points do not show whether it continues")


def _full_by_now(case: Case) -> Decision | None:
    """Settle a container without a recent census: constant blocks since the last one show that it stopped growing."""
    container = case.series.container
    if container is None or not takes_blocks(container):
        return None
    times, blocks = case.history.known("allocated_blocks")
    if not case.watching and drawdown(blocks) > LET_GO_SHARE * case.growth:
        return Decision("not enough data", "as many blocks are freed: it may have been emptied")
    start = bisect_left(times, case.times[-1])
    overdue = times[-1] - case.times[-1] > median(b - a for a, b in pairwise(case.times)) if times else False
    if not overdue or len(times) - start < 4:
        return None
    late, entries = theil_sen(times[start:], blocks[start:], BLOCKS_CONFIDENCE), case.growth / case.span_s
    case.statistics |= {"late_blocks_slope": late.slope, "late_blocks_slope_high": late.high}
    if late.high >= BLOCKS_PER_OBJECT * entries:
        return None
    return Decision("expected", "it stopped growing: no block was allocated for it since the last census")


def _explain(case: Case) -> str:
    least = WATCH_LOOKS if case.series.unit == "entries" else WATCH_POINTS
    bound = f"at least {least} over {WATCH_SPAN_S:.0f} s" if case.watching else f"at least {MIN_POINTS}"
    text = f"{len(case.values)} points over {case.span_s:,.0f} s ({bound})"
    rising = case.statistics.get("rising_steps")
    if len(case.values) < WATCH_POINTS and rising is not None:
        text += f"; {rising * 100:.0f} % of the steps rise (at least {FEW_RISING * 100:.0f} %)"
    return text


FEW_POINTS = Rule(name="few_points", question="Are there enough points?", decide=_few_points, explain=_explain)
