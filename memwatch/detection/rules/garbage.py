"""Is it garbage in cycles that waits for a full collection?"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import combinations, pairwise
from statistics import fmean, median
from typing import NamedTuple

from memwatch.detection.case import Case, Decision, Rule
from memwatch.detection.history import known
from memwatch.detection.sentence import number
from memwatch.detection.statistics.estimators import drawdown, theil_sen, thin

FALL_COUNT, FALL_SHARE, SMALL_SHARE = 5, 0.1, 0.25
"""A fall of a few objects is a request that ended; a fall by a tenth of the gain is a collection. CPython runs a full
collection when there are a quarter more objects."""
RISING_SHARE = 0.7
"""A leak with every request rises at nearly every step; objects that survive a collection by chance come in jumps."""
FULL_EARLIEST, FEW_AFTER, SURVIVED_SHARE = 0.5, 3, 0.5
"""An early collection shows little. After a later one, half of the growth until then must still be there."""
GIVEN_EARLIEST, GIVEN_FEW_PART = 0.25, 5
"""With given snapshots an earlier collection is evidence too: a warm-up is over by then. The lowest of a fifth of the
points on either side are compared, because objects in use hide the rest."""
TOOTH_POINTS, TEETH_A_FLOOR = 3, 2
"""Least points between two collections: fewer show no rate of garbage. With more teeth a floor, the floors show it."""
MOST_POINTS = 300
"""Points of all teeth together, each thinned by the same factor: every pair within a tooth is a slope."""
TOOTH_HEIGHTS = 1.5
"""Growth in heights of the highest tooth; the common rate makes that height a little too low."""

_COLLECTIONS = ("gc_collections_gen0", "gc_collections_gen1", "gc_collections_gen2")


class Tooth(NamedTuple):
    """The points between two collections."""

    seen: bool
    """Whether the window contains the collection at its beginning."""
    start: float
    """When the first snapshot after that collection was taken."""
    end: float
    points: Sequence[tuple[float, float]]


def _full_collection(case: Case) -> Decision | None:
    """Settle what a collection freed, and wait for a full one where garbage in cycles may explain the growth.

    A process with little to do may wait for hours for its next full collection. Without one, a count that also falls
    may be garbage: young collections free most of it and leave the objects in use to the next full one. So may a
    small gain in a large population, because CPython runs a full collection when there are a quarter more objects.
    A count that rises at nearly every step and never falls is no garbage. Only the watch of the hour waits for a
    collection; over days the floors show garbage.
    """
    if _teeth_explain_it(case):
        return _freed("each collection frees it")
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
        case.statistics["rising_steps"] = rising
        if not small and not falls and rising >= RISING_SHARE:
            return None
        return Decision("not enough data", "no full collection has run yet to show what remains")
    after = [value for time, value in zip(case.times, case.values, strict=True) if time >= moment]
    expected = case.raw_slope.slope * (moment - case.times[0])
    few = FEW_AFTER if case.watching else max(FEW_AFTER, len(case.values) // GIVEN_FEW_PART)
    before = case.values[1 : 1 + few]  # the first point may precede the first request
    kept = min(after[:few]) - min(before)
    case.statistics["kept_by_full_collection"] = kept
    return _freed("a full collection freed it") if kept < SURVIVED_SHARE * expected else None


def _freed(how: str) -> Decision:
    return Decision("expected", f"garbage in cycles: {how}")


def _explain(case: Case) -> str | None:
    teeth, kept = case.statistics.get("teeth"), case.statistics.get("kept_by_full_collection")
    if teeth is not None:
        left, least = case.statistics["kept_share_of_teeth"] * 100, SURVIVED_SHARE * 100
        return f"after {teeth} collections {left:.0f} % of the rate between them remains (at least {least:.0f} %)"
    if kept is not None:
        return f"{number(kept)} of the growth remained after a full collection"
    if case.series.kind != "objects" or case.window != "hour" or "rising_steps" not in case.statistics:
        return None
    rising = case.statistics["rising_steps"] * 100
    return f"no full collection yet; {rising:.0f} % of the steps rise (at least {RISING_SHARE * 100:.0f} %)"


FULL_COLLECTION = Rule(
    name="full_collection",
    question="Does it survive a full garbage collection?",
    decide=_full_collection,
    explain=_explain,
    not_applicable="no full collection was seen, and only the watch of the hour waits for one, for objects",
)


def _teeth_explain_it(case: Case) -> bool:
    """Whether collections of one generation leave the same count, and growth between two of them is all the growth."""
    return any(_explained_by(case, _teeth(case, generation)) for generation in range(len(_COLLECTIONS)))


def _explained_by(case: Case, teeth: Sequence[Tooth]) -> bool:
    """Whether the saw-tooth of these collections is all the growth.

    The floors do not show teeth that are as long as a bucket. The level that a collection leaves is computed from the
    rate at which all teeth rise, because the first census after it may come late. Growth by much more than the height
    of a tooth is not garbage, even with garbage beside it.
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
    case.statistics |= {"teeth": len(begun), "kept_share_of_teeth": kept_share}
    return True


def _teeth(case: Case, generation: int) -> list[Tooth]:
    """The points between collections of a generation or an older one, which collects the younger ones too."""
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
    for index, ((start, end), (a, b)) in enumerate(zip(pairwise(edges), pairwise(cuts), strict=True)):
        if b - a >= TOOTH_POINTS:
            points = zip(*thin(case.times[a:b], case.values[a:b], most), strict=True)
            teeth.append(Tooth(index > 0, start, end, list(points)))
    return teeth


def _last_full_collection(case: Case) -> float | None:
    """Time of the first snapshot after it; ``None`` where it was too early, or too few points follow."""
    times, counts = case.history.known("gc_collections_gen2")
    earliest = case.times[0] + (FULL_EARLIEST if case.watching else GIVEN_EARLIEST) * case.span_s
    latest = case.times[-FEW_AFTER]
    steps = zip(times[1:], pairwise(counts), strict=True)
    moments = [time for time, (before, now) in steps if now > before and earliest <= time <= latest]
    return moments[-1] if moments else None
