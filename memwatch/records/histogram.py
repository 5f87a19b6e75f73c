"""A histogram with buckets of fixed ratio: small, exact to 5 %, and two of them can be added up."""

from __future__ import annotations

import math
from collections.abc import Mapping

GROWTH = 1.1
"""Each bucket ends at this many times where it begins."""
LAST = 400
"""The highest bucket: it holds everything from ``GROWTH ** (LAST - 1)`` on, some 33 PB in KiB."""
_LOG = math.log(GROWTH)

Counts = dict[str, int]
"""How many values fell into each bucket, by the bucket's number as a text, as JSON keeps it."""


def bucket(value: float) -> int:
    """The number of the bucket: 0 below 1, then ``[GROWTH ** (n - 1), GROWTH ** n)`` for ``n``."""
    return 0 if value < 1 else min(LAST, 1 + int(math.log(value) / _LOG))


def middle(number: int) -> float:
    """A value within 5 % of every value of the bucket; 0 for bucket 0."""
    return 0.0 if number <= 0 else GROWTH ** (number - 0.5)


def add(counts: Counts, more: Mapping[str, int]) -> None:
    """Add ``more`` to ``counts``."""
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def quantile(counts: Mapping[str, int], share: float, most: float | None = None) -> float | None:
    """The value that ``share`` (0 to 1) of the values do not exceed, at most ``most``; ``None`` of nothing."""
    total = sum(counts.values())
    if total <= 0:
        return None
    rank, seen = share * total, 0
    for number in sorted(map(int, counts)):
        seen += counts[str(number)]
        if seen >= rank:
            break
    value = middle(number)
    return value if most is None else min(value, most)
