"""Built-in containers that grow with the calls: what keeps objects that the garbage collector does not see."""

from __future__ import annotations

import gc
from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from itertools import islice, pairwise

from memwatch.pytest_plugin.findings import Growth
from memwatch.records import BigContainer

KINDS: tuple[type, ...] = (list, dict, set, deque, bytearray, OrderedDict, defaultdict)
"""Exact types whose length is read; none of them runs code of the program for it."""
_UNTRACKED = (dict, bytearray)
"""Of these the collector does not track all: they are looked for among what other objects refer to."""
_AT_ONCE = 1_000
LEAST_SHARE, LEAST = 0.2, 4
"""A container explains growth of blocks when it gains an entry for every five of them."""
PARTS = 4

Lengths = dict[int, tuple[type, int]]


def lengths() -> Lengths:
    """Kind and length of each container, by its address."""
    found: Lengths = {}
    objects = gc.get_objects()
    own = {id(found), id(objects)}
    for item in objects:
        if type(item) in KINDS:
            found[id(item)] = type(item), len(item)
    for start in range(0, len(objects), _AT_ONCE):
        for item in gc.get_referents(*islice(objects, start, start + _AT_ONCE)):
            if type(item) in _UNTRACKED and id(item) not in found:
                found[id(item)] = type(item), len(item)
    for key in own:
        found.pop(key, None)
    return found


def parts(calls: int) -> tuple[int, ...]:
    """The calls between looks at the lengths: what comes and goes rarely grows in each of so many parts."""
    return tuple(filter(None, (calls * (part + 1) // PARTS - calls * part // PARTS for part in range(PARTS))))


def grown(looks: Sequence[Lengths], growth: Growth, calls: int) -> BigContainer | None:
    """The container that gained most over all looks, and in each, where that explains the growth.

    What holds the work of the moment gains in one look and loses in another.
    """
    first, last = looks[0], looks[-1]
    own = set(map(id, looks))
    steps = list(pairwise(looks))
    gained = {
        key: length - first[key][1]
        for key, (kind, length) in last.items()
        if key not in own and all(_rises(before.get(key), after.get(key), kind) for before, after in steps)
    }
    if not gained:
        return None
    best = max(gained, key=lambda key: gained[key])
    expected = growth.per_call * calls * LEAST_SHARE if growth.unit == "blocks" else 0.0
    if gained[best] < max(LEAST, expected):
        return None
    kind, length = last[best]
    return BigContainer(type=kind.__name__, length=length, token=best)


def _rises(before: tuple[type, int] | None, after: tuple[type, int] | None, kind: type) -> bool:
    """In one step, as the same container."""
    return before is not None and after is not None and before[0] is after[0] is kind and after[1] > before[1]
