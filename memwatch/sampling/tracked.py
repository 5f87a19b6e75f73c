"""The types of all gc-tracked objects, in one uninterrupted C call, or on a large heap in two.

Each call lists the tracked objects anew, for no object may be referred to between two of them. The oldest generation
keeps its order while the process runs: what joins it does so at its end, and what dies lets the others move up. How far
they did is seen from the ids of those before the part: so each object is counted once, as in a single call.
"""

from __future__ import annotations

import gc
import sys
import time
from functools import partial
from itertools import chain
from operator import call, delitem

from memwatch.sampling.quiet import Step, breathe, uninterrupted

WHOLE = 400_000
"""Objects up to which one call is short enough."""
PARTS = 2
"""More would shorten the pause little: each lists all objects, which takes a quarter of the time."""
WINDOW = 2_000
"""Objects that may die between two calls without their successors being missed."""
YOUNG = 50_000
"""So many young objects are those of a process that has the collector off: most of its objects may be young."""
_OLDEST, _YOUNGER = 2, (0, 1)


class Types:
    """What the calls have brought out."""

    def __init__(self) -> None:
        self.all: list[type] = []
        self.pause_ms = 0.0
        """The longest call."""
        self.lost_count = False
        """Whether more died between two calls than the window shows: where the next part begins is unknown then."""
        self._before: list[int] = []

    def list_all(self) -> None:
        """In one call."""
        self._run([partial(self.all.extend, map(type, chain.from_iterable(map(gc.get_objects, (None,)))))])

    def list_part(self, start: int, stop: int | None) -> None:
        """Those of the oldest generation from ``start`` to ``stop``; with the last part all that are younger."""
        heap: list[list[object]] = []
        window: list[list[object]] = []
        cleared: list[None] = []
        ids: list[int] = []
        types: list[type] = []
        ahead: list[int] = []
        moved_up = slice(max(0, start - WINDOW), start)
        steps: list[Step] = [
            partial(heap.extend, map(gc.get_objects, (_OLDEST,))),
            partial(window.extend, map(list.__getitem__, heap, (moved_up,))),
        ]
        if stop is not None:
            last = map(list.__getitem__, heap, (slice(-WINDOW, None),))
            steps += [
                partial(cleared.extend, map(delitem, heap, (slice(stop, None),))),
                partial(ahead.extend, map(id, chain.from_iterable(last))),
            ]
        steps.append(partial(cleared.extend, map(delitem, heap, (slice(0, start),))))
        if stop is None:
            steps.append(partial(heap.extend, map(gc.get_objects, _YOUNGER)))
        steps += [
            partial(self.all.extend, map(type, chain.from_iterable(heap))),
            partial(ids.extend, map(id, chain.from_iterable(window))),
            partial(types.extend, map(type, chain.from_iterable(window))),
            partial(cleared.extend, map(list.clear, chain(heap, window))),
            heap.clear,
            window.clear,
        ]
        self._run(steps)
        known = frozenset(self._before)
        self.lost_count |= bool(known) and known.isdisjoint(ids)
        self.all += [of for number, of in zip(ids, types, strict=True) if number not in known]
        self._before = ahead

    def _run(self, steps: list[Step]) -> None:
        marks: list[float] = []
        steps.insert(0, partial(marks.extend, map(call, (time.perf_counter,))))
        steps.append(partial(marks.extend, map(call, (time.perf_counter,))))
        breathe()
        uninterrupted(steps)
        self.pause_ms = max(self.pause_ms, (marks[1] - marks[0]) * 1e3)


def types_of_tracked(expected: int) -> tuple[list[type], float]:
    """The type of each tracked object, and the longest pause in ms. ``expected``: how many there were last time."""
    found = Types()
    if expected < WHOLE or gc.get_count()[0] > YOUNG or not _keeps_order():
        found.list_all()
        return found.all, found.pause_ms
    before = _full_collections()
    size = -(-expected // PARTS)
    for number in range(PARTS):
        found.list_part(number * size, None if number == PARTS - 1 else (number + 1) * size)
    if found.lost_count or _full_collections() != before:  # which has put them into another order
        found.all = []
        found.list_all()
    return found.all, found.pause_ms


def _keeps_order() -> bool:
    """Whether only a full collection reorders the oldest generation: that of Python 3.14 is collected bit by bit."""
    return sys.version_info < (3, 14)


def _full_collections() -> int:
    return int(gc.get_stats()[_OLDEST]["collections"])
