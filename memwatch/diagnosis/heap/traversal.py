"""From objects to what they refer to, stretch by stretch of a growing queue, each stretch one short pause."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator, Iterator
from functools import partial
from itertools import chain, compress, islice, repeat
from operator import and_, not_, or_
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap.big_containers import DICT_IDS, SIZED_IDS
from memwatch.diagnosis.heap.borrowed import held
from memwatch.sampling.atomic import Step, uninterrupted
from memwatch.sampling.container_scan import PLAIN_IDS

AT_ONCE = 20_000
"""Objects looked at in one uninterrupted call, and entries of containers followed."""
_flags_of = type.__dict__["__flags__"].__get__
_IS_CLASS = 1 << 31
"""The flag of a type whose instances are classes."""
_SHARED = frozenset(map(id, (ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType)))


class Stretch(NamedTuple):
    """A stretch of the queue."""

    start: int
    stop: int
    entries: slice | None = None
    """The entries still to follow of a container with too many for one call, which is alone in its stretch."""

    def parts(self, entries: int) -> Iterator[Stretch]:
        """What to follow in one call each, given how many entries its containers have in all."""
        if entries <= AT_ONCE:
            yield self
            return
        for first in range(0, entries, AT_ONCE):
            yield self._replace(entries=slice(first, first + AT_ONCE))


def between(queue: list[Any], start: int, stop: int) -> Iterator[Any]:
    """Those of the queue, lazily and in C; an ``islice`` would begin at its first each time."""
    return chain.from_iterable(map(list.__getitem__, (queue,), (slice(start, stop),)))


def next_stretch(queue: list[Any], start: int, end: int | None = None) -> tuple[Stretch, int]:
    """So many objects that their containers have at most ``AT_ONCE`` entries in all, and how many these have."""
    stop = min(len(queue) if end is None else end, start + AT_ONCE)
    now: list[Any] = []
    places: list[int] = []
    lengths: list[int] = []

    def sized() -> Iterator[bool]:
        return map(SIZED_IDS.__contains__, map(id, map(type, now)))

    uninterrupted(
        [
            partial(now.extend, between(queue, start, stop)),
            partial(places.extend, compress(range(start, stop), sized())),
            partial(lengths.extend, map(len, compress(now, sized()))),
            now.clear,
        ]
    )
    entries = 0
    for place, length in zip(places, lengths, strict=True):
        if entries + length > AT_ONCE and place > start:
            return Stretch(start, place), entries
        entries += length
        if entries > AT_ONCE:
            return Stretch(start, place + 1), entries
    return Stretch(start, stop), entries


def _dicts(objects: list[Any]) -> Iterator[Any]:
    return compress(objects, map(DICT_IDS.__contains__, map(id, map(type, objects))))


def entries_of(containers: list[Any], which: slice) -> Iterator[Any]:
    """Some of the entries of each of these built-in containers, keys and values of a dict, lazily and in C."""
    others = compress(containers, map(not_, map(DICT_IDS.__contains__, map(id, map(type, containers)))))
    whole = chain(map(dict.__iter__, _dicts(containers)), map(dict.values, _dicts(containers)), map(iter, others))
    return chain.from_iterable(map(islice, whole, repeat(which.start), repeat(which.stop)))


def following(queue: list[Any], stretch: Stretch, seen: set[int]) -> list[Step]:
    """Queue what a stretch of the queue refers to, is new and is its own: no class, module, function or frame."""
    now: list[Any] = []
    fresh: dict[int, Any] = {}

    def referents() -> Iterator[Any]:
        if stretch.entries is not None:
            return entries_of(now, stretch.entries)
        # The dicts again: one that is not tracked, of texts say, names no referents.
        entries = chain(map(dict.__iter__, _dicts(now)), map(dict.values, _dicts(now)))
        return chain.from_iterable(chain(map(gc.get_referents, now), entries))

    def new() -> Iterator[Any]:
        # Begun when it is pulled: an iterator over a dict does not survive that the dict is filled.
        return chain.from_iterable(map(dict.values, (fresh,)))

    def is_new() -> Iterator[bool]:
        return map(not_, map(seen.__contains__, map(id, new())))

    def is_shared() -> Iterator[bool]:
        kinds = map(_SHARED.__contains__, map(id, map(type, new())))
        return map(or_, kinds, map(and_, map(_flags_of, map(type, new())), repeat(_IS_CLASS)))

    own = compress(compress(new(), is_new()), map(not_, compress(is_shared(), is_new())))
    return [
        partial(now.extend, between(queue, stretch.start, stretch.stop)),
        partial(fresh.update, zip(map(id, referents()), referents(), strict=False)),
        now.clear,
        partial(queue.extend, own),
        partial(seen.update, chain.from_iterable((fresh,))),
        fresh.clear,
    ]


MOST_OBJECTS = 300_000
basic_size_of = type.__dict__["__basicsize__"].__get__
HEADERS = 32
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
        partial(sizes.extend, map(HEADERS.__add__, map(basic_size_of, map(type, others)))),
    ]
