"""One cause under changing names: which leak that was found before goes on as the one that is found now.

What a kept object holds (lists, dicts, strings, proxies) grows with it. Which of these is judged a leak first, and
which leads, changes from look to look while points are few. An operator sees one leak, under one name that changes
seldom and only for one that says more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from memwatch.detection.attribution import IN_STEP
from memwatch.detection.grouping import HOST_RANK, rank
from memwatch.detection.history import History
from memwatch.detection.statistics.estimators import correlation

LEAST_COMMON = 8
"""Common points below which two series say nothing of each other."""

Key = tuple[str, str]
"""Kind and object type."""


def grow_in_step(history: History, known: Collection[str], leaking: Collection[str]) -> Mapping[str, frozenset[str]]:
    """For each of the ``known`` types those of the ``leaking`` ones whose counts move as its own do."""
    return {name: frozenset(other for other in leaking if _in_step(history, name, other)) for name in known}


def same_cause(before: Key, now: Key, *, folded: bool, in_step: bool, goes_on: bool) -> bool:
    """Whether the leak found ``before``, which is none by itself now, has the cause of the one found ``now``.

    ``folded``: one of them was found to grow with the other, now or earlier; ``in_step``: their counts move as one;
    ``goes_on``: nothing says that the one before has stopped.
    """
    if "objects" not in (before[0], now[0]) or before[0] != now[0]:
        return folded or goes_on  # memory without a name beside something that has one, or two guesses at memory
    both_host = rank(before[1]) == rank(now[1]) == HOST_RANK
    return folded or (in_step and not both_host)


def says_more(now: Key, before: Key) -> bool:
    """Whether the name found ``now`` tells more: a type more than memory, the host's class more than a list."""
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
