"""Garbage that waits for a full collection, told from what is kept."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, median

from memwatch.detection.case import Case, Decision
from memwatch.detection.estimators import drawdown

FALL_COUNT, FALL_SHARE, SMALL_SHARE = 5, 0.1, 0.25
"""A fall of a few is a request that ended; of a tenth of all that was gained, a collection. A quarter more objects
is when CPython collects all."""
RISING_SHARE = 0.7
"""A leak of every request rises at nearly every step; what a collection happens to meet in use comes in jumps."""
FULL_EARLIEST, FEW_AFTER, SURVIVED_SHARE = 0.5, 3, 0.5
"""A collection early on shows little; after it, half of what had grown until then must still be there."""
GIVEN_EARLIEST, GIVEN_FEW_PART = 0.25, 5
"""Where nobody waits for the next one, an earlier collection is evidence too: a warm-up is over by then. The lowest of
a fifth of the points on either side is compared, since what comes and goes hides the rest."""


def full_collection(case: Case) -> Decision | None:
    """9. Did it survive a full collection? Garbage in cycles waits for one, for hours in a process with little to do.

    Without one, what also falls may be such garbage: the young collections take most of it, what they meet in use
    is left to the next full one. So may a small gain in a large population: a quarter more is when CPython runs a
    full collection. What rises at nearly every step and never falls back is no garbage. The watch of the hour waits;
    of given snapshots a collection among them is heard, but not waited for; over days the floors tell.
    """
    counted = case.history.known("gc_collections_gen2")[1]
    if case.series.kind != "objects" or case.window not in ("hour", "given") or not counted:
        return None
    moment = _last_full_collection(case)
    if moment is None:
        if not case.watching:
            return None
        small = case.gate == "steady" and case.raw_slope.slope * case.span_s < SMALL_SHARE * median(case.values)
        falls = drawdown(case.values) > max(FALL_COUNT, FALL_SHARE * case.growth)
        rising = fmean(after > before for before, after in pairwise(case.values))
        case.found["rising_steps"] = rising
        if not small and not falls and rising >= RISING_SHARE:
            return None
        return Decision("not enough data", "full_collection", "no full collection has shown yet what stays")
    after = [value for time, value in zip(case.times, case.values, strict=True) if time >= moment]
    expected = case.raw_slope.slope * (moment - case.times[0])
    few = FEW_AFTER if case.watching else max(FEW_AFTER, len(case.values) // GIVEN_FEW_PART)
    before = case.values[1 : 1 + few]  # the very first may be from before the first request
    kept = min(after[:few]) - min(before)
    case.found["kept_by_full_collection"] = kept
    if kept < SURVIVED_SHARE * expected:
        return Decision("expected", "full_collection", "garbage that waited: a full collection gave it back")
    return None


def _last_full_collection(case: Case) -> float | None:
    """When the first snapshot after it was taken; ``None`` where none ran in the second half, with points after it."""
    times, counts = case.history.known("gc_collections_gen2")
    earliest = case.times[0] + (FULL_EARLIEST if case.watching else GIVEN_EARLIEST) * case.span_s
    latest = case.times[-FEW_AFTER]
    steps = zip(times[1:], pairwise(counts), strict=True)
    moments = [time for time, (before, now) in steps if now > before and earliest <= time <= latest]
    return moments[-1] if moments else None
