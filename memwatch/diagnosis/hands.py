"""Objects of the host, held for milliseconds while they are looked at, and put back without running its code.

Who drops the last reference to an object runs its finalizer. So those that only we still hold are left in a reference
cycle: the host's own garbage collector frees them, at its next turn, in a thread of the host, as it frees all other
garbage. Only where the host has switched its collector off do objects that died meanwhile end in the agent's thread.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from itertools import chain, compress, repeat
from operator import eq
from typing import Any

from memwatch.diagnosis.host import Host
from memwatch.sampling.quiet import uninterrupted

_ONLY_OURS = 2
"""References to an object that one dict holds and a ``map`` has just taken from it."""


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
    counts: list[int] = []
    dying: list[Any] = []

    def each() -> Iterator[Any]:
        return chain.from_iterable(map(dict.values, (once,)))

    uninterrupted(
        [
            partial(once.update, zip(map(id, objects), objects, strict=False)),
            objects.clear,
            partial(counts.extend, map(sys.getrefcount, each())),
            partial(dying.extend, compress(each(), map(eq, counts, repeat(_ONLY_OURS)))),
            once.clear,
        ]
    )
    if dying and host.collects():
        dying.append(dying)
