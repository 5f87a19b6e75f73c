"""Objects of the host, held for milliseconds while they are looked at, and put back without running its code.

Who drops the last reference to an object runs its finalizer. So those that only we still hold are left in a reference
cycle: the host's own garbage collector frees them, at its next turn, in a thread of the host, as it frees all other
garbage. Only where the host has switched its collector off do objects that died during the recording end in the
agent's thread.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, compress, repeat
from operator import eq
from typing import Any

from memwatch.diagnosis.context import Host
from memwatch.sampling.atomic import Step, uninterrupted

_ONLY_OURS = 2
"""References to an object that one container holds and a ``map`` has just taken from it."""


class Dying:
    """Those objects that only we still hold."""

    def __init__(self) -> None:
        self._counts: list[int] = []
        self._objects: list[Any] = []

    def steps(self, each: Callable[[], Iterator[Any]]) -> list[Step]:
        """Steps that find them. ``each()`` gives the objects again, out of one container that holds each once.

        What else of ours holds them must be gone by then.
        """
        ours = map(eq, self._counts, repeat(_ONLY_OURS))
        return [
            partial(self._counts.extend, map(sys.getrefcount, each())),
            partial(self._objects.extend, compress(each(), ours)),
        ]

    def leave(self, host: Host) -> None:
        """Leave them to the host's collector, where it is on."""
        if self._objects and host.collects():
            self._objects.append(self._objects)
        self._objects = []


@contextlib.contextmanager
def held(host: Host) -> Iterator[list[Any]]:
    """A list for objects of the host. Names that refer to one of them must be gone when it ends."""
    objects: list[Any] = []
    try:
        yield objects
    finally:
        put_back(objects, host)


def put_back(objects: list[Any], host: Host) -> None:
    """Empty the list; what dies by that is left to the host's collector."""
    once: dict[int, Any] = {}
    dying = Dying()
    uninterrupted(
        [
            partial(once.update, zip(map(id, objects), objects, strict=False)),
            objects.clear,
            *dying.steps(lambda: chain.from_iterable(map(dict.values, (once,)))),
            once.clear,
        ]
    )
    dying.leave(host)
