"""What a container keeps alive: the shallow sizes of what can be reached from it, within bounds."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from functools import partial
from itertools import compress
from operator import not_
from typing import Any

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap.borrowed import held
from memwatch.diagnosis.heap.traversal import Stretch, between, following, next_stretch
from memwatch.sampling.atomic import Step, uninterrupted
from memwatch.sampling.container_scan import PLAIN_IDS

MOST_OBJECTS = 300_000
_basic_size_of = type.__dict__["__basicsize__"].__get__
_HEADERS = 32
"""Bytes before and beside an instance of a class that its basic size leaves out, at least."""


def retained_bytes(root: list[Any], host: Host, meter: Meter) -> Generator[float, None, tuple[int, bool]]:
    """Sum up from the objects in ``root`` on. Yields seconds to wait; returns ``(bytes, whether it is all)``.

    Built-in types say their size, of others it is what their class says an instance takes: a class's own
    ``__sizeof__`` is not asked. What classes, modules and functions refer to is not counted, nor they themselves.
    """
    sizes: list[int] = []
    seen = set(map(id, root))
    done, complete = 0, True
    with held(host) as queue:
        queue.extend(root)
        while done < min(len(queue), MOST_OBJECTS):
            with meter.pausing():
                stretch, entries = next_stretch(queue, done)
                uninterrupted(_sizing(queue, stretch, sizes))
            for part in stretch.parts(entries):
                if len(queue) > MOST_OBJECTS:
                    complete = False
                    break
                with meter.pausing():
                    uninterrupted(following(queue, part, seen))
                yield 0.002
            done = stretch.stop
        complete = complete and done >= len(queue)
    return sum(sizes), complete


def _sizing(queue: list[Any], stretch: Stretch, sizes: list[int]) -> list[Step]:
    def now() -> Iterator[Any]:
        return between(queue, stretch.start, stretch.stop)

    def plain() -> Iterator[bool]:
        return map(PLAIN_IDS.__contains__, map(id, map(type, now())))

    others = compress(now(), map(not_, plain()))
    return [
        partial(sizes.extend, map(sys.getsizeof, compress(now(), plain()))),
        partial(sizes.extend, map(_HEADERS.__add__, map(_basic_size_of, map(type, others)))),
    ]
