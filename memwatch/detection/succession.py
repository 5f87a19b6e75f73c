"""One cause under changing names: which earlier leak continues as the one that is found now.

Lists, dicts, strings and proxies that a kept object holds grow with it. Which of these becomes a leak first, and which
leads, changes between runs while there are few points. An operator sees one leak, whose name changes rarely and only
for a more specific one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from memwatch.detection.attribution import IN_STEP
from memwatch.detection.grouping import HOST_RANK, rank
from memwatch.detection.history import History
from memwatch.detection.statistics.estimators import correlation

LEAST_COMMON = 8
"""Least common points for a correlation."""

Key = tuple[str, str]
"""Kind and object type."""


def grow_in_step(history: History, known: Collection[str], leaking: Collection[str]) -> Mapping[str, frozenset[str]]:
    """For each of the ``known`` types, the ``leaking`` types whose counts move in step with its own."""
    return {name: frozenset(other for other in leaking if _in_step(history, name, other)) for name in known}


def same_cause(before: Key, now: Key, *, folded: bool, in_step: bool, goes_on: bool) -> bool:
    """Whether the leak ``before``, which is no leak by itself now, has the same cause as the leak ``now``.

    ``folded``: one of them grew with the other, now or earlier; ``in_step``: their counts move in step; ``goes_on``:
    nothing shows that the earlier one has stopped.
    """
    if "objects" not in (before[0], now[0]) or before[0] != now[0]:
        return folded or goes_on  # unnamed memory beside a named leak, or two guesses at memory
    both_host = rank(before[1]) == rank(now[1]) == HOST_RANK
    return folded or (in_step and not both_host)


def says_more(now: Key, before: Key) -> bool:
    """Whether the name ``now`` is more specific: a type more than memory, the host's class more than a list."""
    return _weight(now) > _weight(before)


def _weight(key: Key) -> int:
    return rank(key[1]) if key[0] == "objects" else -1


def _in_step(history: History, a: str, b: str) -> bool:
    if a == b:
        return False
    pairs = [
        (x, y)
        for x, y in zip(history.counts.get(a, ()), history.counts.get(b, ()), strict=False)
        if x is not None and y is not None
    ]
    if len(pairs) < LEAST_COMMON or pairs[-1][0] <= pairs[0][0]:
        return False
    return correlation([float(x) for x, _ in pairs], [float(y) for _, y in pairs]) >= IN_STEP
