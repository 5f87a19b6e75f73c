"""Which objects nothing refers to from outside of their cycles: the collector's own arithmetic, and nothing is freed.

The references that tracked objects make are taken from each object's reference count. What is left comes from outside:
a thread's frame, C code, frozen objects (``gc.freeze()``). What such objects refer to is alive, all else is garbage.
It is for a copy of the process: it holds every object while it counts, and takes no reference that the host would see.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from types import ModuleType
from typing import Any

from memwatch.sampling.atomic import FREE_THREADED

MOST_S = 20.0
"""Of wall time: a copy has 60 seconds for all that it does."""
AT_ONCE = 20_000
"""Objects between two looks at the clock."""
KNOWN = not FREE_THREADED
"""Whether a reference count has all references: free-threaded builds keep some apart, by thread."""
_PAGE, _SLOT, _SLOTS = 20, 4, 0xFFFF
"""Bits of an address: a table for each megabyte, an entry for each 16 bytes, as objects are aligned."""
_MANY = 255
"""In a table: the count is too large for it. 0: not tracked, or alive. Else references from outside, and 1."""


class OutOfTime(Exception):  # noqa: N818 - an answer more than an error
    """The heap is too large, or the machine too busy."""


class Unreachable:
    """Looks as it is made, at everything that is tracked then. Raises :class:`OutOfTime`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock() + MOST_S
        self._tables: dict[int, bytearray] = {}
        self._many: dict[int, int] = {}
        objects = gc.get_objects()
        self._count(objects)
        self._take_away_inner(objects)
        self._follow(objects)

    def __contains__(self, address: int) -> bool:
        """Whether the object with this id is garbage."""
        table = self._tables.get(address >> _PAGE)
        return table is not None and table[address >> _SLOT & _SLOTS] > 0

    def _count(self, objects: list[Any]) -> None:
        """References to each, but that of the list."""
        of_the_list = next(map(sys.getrefcount, [[]]))
        tables, many = self._tables, self._many
        for address, references in zip(map(id, objects), map(sys.getrefcount, objects), strict=True):
            count = max(1, references - of_the_list + 1)
            if count >= _MANY:
                many[address] = count
                count = _MANY
            table = tables.get(address >> _PAGE)
            if table is None:
                table = tables[address >> _PAGE] = bytearray(_SLOTS + 1)
            table[address >> _SLOT & _SLOTS] = count

    def _take_away_inner(self, objects: list[Any]) -> None:
        find, many = self._tables.get, self._many
        for part in self._parts(objects):
            for address in map(id, _referents(part)):
                table = find(address >> _PAGE)
                if table is not None:
                    slot = address >> _SLOT & _SLOTS
                    count = table[slot]
                    if count == _MANY:
                        many[address] -= 1
                    elif count > 1:
                        table[slot] = count - 1

    def _follow(self, objects: list[Any]) -> None:
        """Strike out what is alive: what is referred to from outside, and what that leads to."""
        find, many = self._tables.get, self._many
        alive = []
        for item in objects:
            address = id(item)
            own, slot = self._tables[address >> _PAGE], address >> _SLOT & _SLOTS
            if (many[address] if own[slot] == _MANY else own[slot]) > 1:
                own[slot] = 0
                alive.append(item)
        while alive:
            below: list[Any] = []
            for part in self._parts(alive):
                for item in _referents(part):
                    address = id(item)
                    table = find(address >> _PAGE)
                    if table is not None and table[address >> _SLOT & _SLOTS]:
                        table[address >> _SLOT & _SLOTS] = 0
                        below.append(item)
            alive = below

    def _parts(self, objects: list[Any]) -> Iterator[list[Any]]:
        for start in range(0, len(objects), AT_ONCE):
            if self._clock() > self._until:
                raise OutOfTime
            yield objects[start : start + AT_ONCE]


def _referents(objects: Iterable[Any]) -> Iterator[Any]:
    """Modules are not asked, which some versions of Python do not survive: so what they hold counts as alive."""
    return chain.from_iterable(map(gc.get_referents, (item for item in objects if type(item) is not ModuleType)))
