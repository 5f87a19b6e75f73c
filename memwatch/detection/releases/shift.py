"""Two groups of processes: whether one lies higher, by how much, and how sure that is.

Mann-Whitney's test (1947), exact with ties up to :data:`MOST_EXACT` processes: all ways to divide the ranks are
counted. Hodges and Lehmann's shift (1963) is the median of all differences between a process of the one group and one
of the other; its interval comes from the same distribution. The tests check both against SciPy.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist, median

from memwatch.detection.statistics.estimators import mann_whitney

MOST_EXACT = 24
"""Processes of both groups together; beyond that the normal approximation differs in the third digit."""
CONFIDENCE = 0.95
_NORMAL = NormalDist()


@dataclasses.dataclass(frozen=True, slots=True)
class Shift:
    """By how much the second group lies higher."""

    shift: float
    low: float | None
    """The interval of 95 %; ``None`` where there are too few for one."""
    high: float | None
    p: float
    """Two-sided: how often chance alone divides the values so, or more unevenly."""
    superiority: float
    """Share of the pairs in which the second is higher, 0 to 1; equal ones count half."""


def shift(before: Sequence[float], after: Sequence[float]) -> Shift:
    """Raises :class:`ValueError` where a group is empty."""
    if not before or not after:
        raise ValueError("give at least one value of each group")
    differences = sorted(b - a for a in before for b in after)
    pairs, place = len(differences), _place(len(before), len(after))
    higher = pairs - bisect_right(differences, 0.0)
    lower = bisect_left(differences, 0.0)
    return Shift(
        shift=median(differences),
        low=differences[place - 1] if place else None,
        high=differences[pairs - place] if place else None,
        p=_p(before, after),
        superiority=(higher + (pairs - higher - lower) / 2) / pairs,
    )


def least_p(before: int, after: int) -> float:
    """The smallest p that so many processes can give."""
    return min(1.0, 2 / math.comb(before + after, after))


def histogram_p(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """Two-sided p for values that were counted in buckets (normal approximation, with ties)."""
    n1, n2 = sum(before.values()), sum(after.values())
    n = n1 + n2
    if not n1 or not n2:
        return 1.0
    u, below, ties = 0.0, 0, 0
    for key in sorted(before.keys() | after.keys(), key=int):
        one, other = before.get(key, 0), after.get(key, 0)
        u += other * (below + one / 2)
        below += one
        ties += (one + other) ** 3 - (one + other)
    variance = n1 * n2 / 12 * ((n + 1) - ties / (n * (n - 1)))
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(u - n1 * n2 / 2) - 0.5) / math.sqrt(variance)
    return 2 * (1 - _NORMAL.cdf(z))


def _p(before: Sequence[float], after: Sequence[float]) -> float:
    if len(before) + len(after) > MOST_EXACT:
        return min(1.0, 2 * min(mann_whitney(before, after), mann_whitney(after, before)))
    ordered = sorted([*before, *after])
    # Twice the mean rank, so that ties stay whole numbers.
    ranks = [bisect_left(ordered, value) + bisect_right(ordered, value) + 1 for value in ordered]
    found = sum(bisect_left(ordered, value) + bisect_right(ordered, value) + 1 for value in after)
    sums = _sums(tuple(ranks), len(after))
    middle = len(after) * (len(ordered) + 1)
    extreme = sum(ways for total, ways in sums.items() if abs(total - middle) >= abs(found - middle))
    return extreme / math.comb(len(ordered), len(after))


def _place(before: int, after: int) -> int:
    """Which difference from either end bounds the interval; 0 for none."""
    share = (1 - CONFIDENCE) / 2
    if before + after > MOST_EXACT:
        spread = _NORMAL.inv_cdf(1 - share) * math.sqrt(before * after * (before + after + 1) / 12)
        return max(0, math.floor(before * after / 2 - spread))
    sums = _sums(tuple(range(before + after)), after)
    wanted, seen, least = share * math.comb(before + after, after), 0, after * (after - 1) // 2
    for place, total in enumerate(sorted(sums)):
        seen += sums[total]
        if seen > wanted:
            return place
    return least  # pragma: no cover - half of all ways are always more than the share


@lru_cache(maxsize=64)
def _sums(ranks: tuple[int, ...], chosen: int) -> dict[int, int]:
    """How many choices of so many ranks have which sum."""
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in range(chosen))]
    for rank in ranks:
        for taken in range(chosen, 0, -1):
            row = ways[taken]
            for total, count in ways[taken - 1].items():
                row[total + rank] = row.get(total + rank, 0) + count
    return ways[chosen]
