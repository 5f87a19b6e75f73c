"""The tracked objects of the process, listed once for a pass and let go of part by part, the newest first.

To list a million objects takes longer than to go through a part of them: a pass that lists them again for each part
costs several times as much, and holds the interpreter longest for that. The price of listing once is that the objects
live for as long as they are listed: a second, then the rest is dropped and listed again. What nothing else holds any
more when we let go is left to the host's garbage collector (see :mod:`borrowed`).

The list is kept out of the collector's sight: a collection of the host would else go through all of it, and snapshots
would take it for a container of the host.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from operator import delitem
from typing import Any, cast

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap.big_containers import Gather
from memwatch.diagnosis.heap.borrowed import Dying
from memwatch.sampling.atomic import Step, uninterrupted

HELD_S = 1.0
"""Seconds after which the rest is dropped and listed again."""
AT_ONCE = 50_000
"""Objects let go of in one uninterrupted call."""
LISTED: list[list[Any]] = []
"""The list of the recording that runs. Of this module, so that it can be emptied before a fork."""


def release() -> None:
    """Before a fork: let go of all at once, in the host's thread, for the child would hold them for ever."""
    for objects in LISTED:
        objects.clear()
    LISTED.clear()


def _untrackers() -> tuple[Callable[[object], None], ...]:
    try:
        function = ctypes.PyDLL(None).PyObject_GC_UnTrack
    except (OSError, TypeError, AttributeError):
        return ()
    function.argtypes, function.restype = (ctypes.py_object,), None
    return (cast("Callable[[object], None]", function),)


UNTRACK = _untrackers()
"""What takes a list out of the collector's sight, where the platform has it."""


class Held:
    """Objects yet to be gone through. One at a time; what is left of it is let go of by :meth:`close`."""

    def __init__(self, host: Host, meter: Meter) -> None:
        self._host = host
        self._meter = meter
        self._start = 0
        self.remaining = 0

    def begin_part(self, size: int) -> None:
        """Choose the newest so many of those that remain."""
        self._start = max(0, self.remaining - size)

    def run(self, gather: Gather, younger: tuple[int, ...] = (), room: int = 0) -> bool:
        """Go through the chosen part, and through all of the ``younger`` generations, which have at most ``room``.

        Whether there was anything: before a fork all is let go of.
        """
        part: list[list[Any]] = []
        young: list[list[Any]] = []
        there: list[int] = []
        cleared: list[None] = []

        def objects() -> Iterator[Any]:
            return chain.from_iterable(part)

        # The youngest first, and all of them before the part is made: no list of ours is among the objects of another.
        steps: list[Step] = [
            partial(there.extend, map(len, LISTED)),
            partial(young.extend, map(gc.get_objects, younger[::-1])),
            partial(part.extend, map(list.__getitem__, LISTED, (slice(self._start, None),))),
            partial(part.extend, map(young.__getitem__, range(len(younger) - 1, -1, -1))),
            young.clear,
            *gather(objects, self.remaining - self._start + room),
            partial(cleared.extend, map(list.clear, part)),
            part.clear,
        ]
        with self._meter.pausing():
            uninterrupted(steps)
        return bool(there)

    def end_part(self) -> None:
        """Let go of the chosen part."""
        self._let_go(self._start)
        self.remaining = self._start

    def close(self) -> None:
        """Let go of all."""
        try:
            self._let_go(0)
        finally:
            release()  # also where there is no memory to do it part by part

    def _let_go(self, start: int) -> None:
        """The objects from ``start`` on, the newest first."""
        length = sum(map(len, LISTED))
        while length > start:
            length = max(start, length - AT_ONCE)
            self._let_go_from(length)

    def _let_go_from(self, start: int) -> None:
        part: list[list[Any]] = []
        done: list[None] = []
        dying = Dying()
        from_here = slice(start, None)
        steps: list[Step] = [
            partial(part.extend, map(list.__getitem__, LISTED, (from_here,))),
            partial(done.extend, map(delitem, LISTED, (from_here,))),
            *dying.steps(lambda: chain.from_iterable(part)),
            partial(done.extend, map(list.clear, part)),
            part.clear,
        ]
        with self._meter.pausing():
            uninterrupted(steps)
        dying.leave(self._host)


class Listing(Held):
    """Those of a generation."""

    def __init__(self, host: Host, meter: Meter, generation: int, *, newest: int | None = None) -> None:
        """List them; so many of the ``newest``, where that is given."""
        super().__init__(host, meter)
        self._generation = generation
        self._first = 0
        """The place in the generation of the first that is listed."""
        total = self._list(slice(0, -newest) if newest is not None else None)
        self._first = total - self.remaining

    def begin_part(self, size: int) -> None:
        """Choose the newest of those that remain; list them again if the list is old."""
        if time.monotonic() - self._since > HELD_S:
            self._let_go(0)
            self._list_again()
        super().begin_part(size)

    def run(self, gather: Gather, younger: tuple[int, ...] = (), room: int = 0) -> bool:
        """As above; list them again after a fork."""
        if super().run(gather, younger, room):
            return True
        self._list_again()
        return super().run(gather, younger, room)

    def _list(self, *unwanted: slice | None) -> int:
        """All but the ``unwanted``; how many there were in all."""
        lengths: list[int] = []
        done: list[None] = []
        steps: list[Step] = [
            partial(LISTED.extend, map(gc.get_objects, (self._generation,))),
            *(partial(done.extend, map(untrack, LISTED)) for untrack in UNTRACK),
            partial(lengths.extend, map(len, LISTED)),
            *(partial(done.extend, map(delitem, LISTED, (part,))) for part in filter(None, unwanted)),
            partial(lengths.extend, map(len, LISTED)),
        ]
        release()
        try:
            with self._meter.pausing():
                uninterrupted(steps)
        except BaseException:
            release()
            raise
        self._since = time.monotonic()
        total, self.remaining = lengths
        return total

    def _list_again(self) -> None:
        """What remains, and what has taken the place of those among it that died. New objects join at the end."""
        self._list(slice(self._first + self.remaining, None), slice(0, self._first))
