"""Garbage that waits for a full collection, told from what is kept."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import fmean, median
from typing import NamedTuple

from memwatch.detection.case import Case, Decision
from memwatch.detection.history import known
from memwatch.detection.statistics.estimators import drawdown, theil_sen, thin

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
TOOTH_POINTS, TEETH_A_FLOOR = 3, 2
"""Points between two collections: fewer show no rate at which garbage gathers. With more teeth the floors tell."""
MOST_POINTS = 300
"""Of all teeth, each thinned alike: every pair within a tooth is a slope."""
TOOTH_HEIGHTS = 1.5
"""Of the highest tooth, which the rate at which all rise makes a little too low."""

_COLLECTIONS = ("gc_collections_gen0", "gc_collections_gen1", "gc_collections_gen2")


class Tooth(NamedTuple):
    """What gathers between two collections."""

    seen: bool
    """Whether the collection that it begins with was: the first one has begun before."""
    start: float
    """When the first snapshot after that collection was taken."""
    end: float
    points: Sequence[tuple[float, float]]


def full_collection(case: Case) -> Decision | None:
    """9. Did it survive a full collection? Garbage in cycles waits for one, for hours in a process with little to do.

    Where collections of one generation left the same again and again, they have answered.
    Without one, what also falls may be such garbage: the young collections take most of it, what they meet in use
    is left to the next full one. So may a small gain in a large population: a quarter more is when CPython runs a
    full collection. What rises at nearly every step and never falls back is no garbage. The watch of the hour waits;
    of given snapshots a collection among them is heard, but not waited for; over days the floors tell.
    """
    if _teeth_explain_it(case):
        return _given_back("each collection gives it back")
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
    return _given_back("a full collection gave it back") if kept < SURVIVED_SHARE * expected else None


def _given_back(how: str) -> Decision:
    return Decision("expected", "full_collection", f"garbage that waited: {how}")


def _teeth_explain_it(case: Case) -> bool:
    """Whether the collections of a generation left the same, and what gathers between two of them is all the growth."""
    return any(_explained_by(case, _teeth(case, generation)) for generation in range(len(_COLLECTIONS)))


def _explained_by(case: Case, teeth: Sequence[Tooth]) -> bool:
    """Teeth as long as a stretch of the floors are in no floor: each stretch meets another part of one.

    A level is what a collection left, found by the rate at which all teeth rise, since the first census after it may
    have come late. What has grown by much more than a tooth is no garbage, however much of that there is beside it.
    """
    begun = [tooth for tooth in teeth if tooth.seen]
    if not 2 <= len(begun) <= TEETH_A_FLOOR * len(case.floors[0]):
        return False
    rate = median((b - a) / (t - s) for tooth in teeth for (s, a), (t, b) in combinations(tooth.points, 2))
    if rate <= 0:
        return False
    levels = [median(value - rate * (time - tooth.start) for time, value in tooth.points) for tooth in begun]
    kept_share = theil_sen([tooth.start for tooth in begun], levels).slope / rate
    height = rate * max(tooth.end - tooth.start for tooth in teeth)
    if kept_share >= SURVIVED_SHARE or case.slope.slope * case.span_s > TOOTH_HEIGHTS * height:
        return False
    case.found |= {"teeth": len(begun), "kept_share_of_teeth": kept_share}
    return True


def _teeth(case: Case, generation: int) -> list[Tooth]:
    """The points between collections of a generation, each of which is also one of those below."""
    columns = [case.history.figure(name) for name in _COLLECTIONS[generation:]]
    summed = [None if None in counts else sum(counts) for counts in zip(*columns, strict=True)]
    times, counts = known(case.history.times, summed)
    moments = [
        time
        for time, (before, now) in zip(times[1:], pairwise(counts), strict=True)
        if now > before and case.times[0] < time <= case.times[-1]
    ]
    edges = [case.times[0], *moments, case.times[-1]]
    cuts = [0, *(bisect_left(case.times, moment) for moment in moments), len(case.times)]
    most = max(TOOTH_POINTS, MOST_POINTS // (len(moments) + 1))
    teeth = []
    for number, ((start, end), (a, b)) in enumerate(zip(pairwise(edges), pairwise(cuts), strict=True)):
        if b - a >= TOOTH_POINTS:
            points = zip(*thin(case.times[a:b], case.values[a:b], most), strict=True)
            teeth.append(Tooth(number > 0, start, end, list(points)))
    return teeth


def _last_full_collection(case: Case) -> float | None:
    """When the first snapshot after it was taken; ``None`` where none ran in the second half, with points after it."""
    times, counts = case.history.known("gc_collections_gen2")
    earliest = case.times[0] + (FULL_EARLIEST if case.watching else GIVEN_EARLIEST) * case.span_s
    latest = case.times[-FEW_AFTER]
    steps = zip(times[1:], pairwise(counts), strict=True)
    moments = [time for time, (before, now) in steps if now > before and earliest <= time <= latest]
    return moments[-1] if moments else None
