"""Whether calls add less and less: then they fill a cache or a pool, and what they keep has a bound.

A leak keeps as much at the last call as at the first. The first quarter of the calls is left out: what is made once,
at a first call, is made there.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from memwatch.detection.rules.slowing import SLOWING_COUNT, SLOWING_FROM
from memwatch.detection.work.search import Search


def is_filling(search: Search, column: int, chosen: Sequence[int]) -> bool:
    """Whether growth by a call clearly falls from the first quarter on: by a line, beside what else was ``chosen``.

    ``column``: the calls of a name, or of all together. It is among the ``chosen``. A name is one of many: its growth
    must fall more clearly.
    """
    first, falling = (search.add(each) for each in _parts(search.lengths, search.columns[column]))
    others = [other for other in (*search.rivals, *chosen) if search.filled_by.get(other) != column]
    fit = search.regression.fit([*others, first])
    middle = fit.of(column)
    half, gain = search.regression.joining(fit, falling)
    least, chance = SLOWING_COUNT
    sure = search.price if column in search.names else NormalDist().inv_cdf(1 - chance) ** 2
    is_sure = search.better(fit.rest, fit.rest - gain) >= sure
    return half < 0 and is_sure and middle + half < least * (middle - half)


def _parts(lengths: Sequence[int], calls: Sequence[float]) -> tuple[list[float], list[float]]:
    """The calls of the first quarter; and the others, weighted by -1 at the begin of the rest to 1 at its end."""
    first: list[float] = []
    rest: list[float] = []
    start = 0
    for length in lengths:
        run = calls[start : start + length]
        total, seen = max(1.0, sum(run)), 0.0
        for number in run:
            share = (seen + number / 2) / total
            seen += number
            is_first = share < SLOWING_FROM
            first.append(number if is_first else 0.0)
            rest.append(0.0 if is_first else number * (2 * (share - SLOWING_FROM) / (1 - SLOWING_FROM) - 1))
        start += length
    return first, rest
