"""Whether time explains what the calls of a name seem to: as it grows without them, or as they come as evenly."""

from __future__ import annotations

from itertools import pairwise

from memwatch.detection.statistics.nonnegative import Regression
from memwatch.detection.statistics.step_noise import Kind, likely_kind
from memwatch.detection.work.search import SECONDS, Search

LEAST_IDLE = 5
"""Steps without a call of a name from which on they say something of it."""
GROWS_ANYWAY = 0.5
"""Share of the usual pace from which on a figure grows as well in these steps."""
EVEN = tuple(map(Kind, (0.0, 0.3, 10.0, 1000.0)))
"""Kinds of noise about a pace; the last two, where the pace is constant."""


def grows_without(search: Search, name: int) -> bool:
    """Whether the figure also grows while the name is not called: then its calls are not what makes it grow.

    A step after calls still counts as theirs: a census cuts some of them in two.
    """
    calls = search.columns[name]
    seconds = growth = 0.0
    idle = start = 0
    for length in search.lengths:
        for before, place in pairwise(range(start, start + length)):
            if not calls[before] and not calls[place]:
                idle += 1
                seconds += search.steps[place].seconds
                growth += search.growth[place]
        start += length
    usual = sum(search.growth) / search.totals[SECONDS]
    return idle >= LEAST_IDLE and growth / seconds >= GROWS_ANYWAY * usual > 0


def is_even(search: Search, name: int) -> bool:
    """Whether calls come at a constant pace: what differs from it is taken back, as a census cuts calls in two.

    Then the calls say as much as the clock does, and that the one goes better with growth means nothing.
    """
    raw = Regression([search.columns[SECONDS]], search.columns[name])
    rest = raw.residuals(raw.fit([0]))
    return likely_kind([[1.0] * length for length in search.lengths], rest, EVEN) in EVEN[2:]
