"""What a container keeps alive: the shallow sizes of what can be reached from it, within bounds."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator, Iterator
from functools import partial
from itertools import chain, compress, islice, repeat
from operator import and_, not_, or_
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

from memwatch.diagnosis.big_containers import DICT_IDS, SIZED_IDS
from memwatch.diagnosis.hands import held
from memwatch.diagnosis.host import Host
from memwatch.diagnosis.meter import Meter
from memwatch.sampling.look import PLAIN_IDS
from memwatch.sampling.quiet import Step, uninterrupted

MOST_OBJECTS = 300_000
AT_ONCE = 20_000
"""Objects looked at in one uninterrupted call, and entries of containers followed."""
_basic_size_of = type.__dict__["__basicsize__"].__get__
_flags_of = type.__dict__["__flags__"].__get__
_IS_CLASS = 1 << 31
"""Of a type's flags: its instances are classes."""
_HEADERS = 32
"""Bytes before and beside an instance of a class that its basic size leaves out, at least."""
_SHARED = frozenset(map(id, (ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType)))


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
                stretch, entries = _next_stretch(queue, done)
                uninterrupted(_sizing(queue, stretch, sizes))
            for first in range(0, max(entries, 1), AT_ONCE):
                if len(queue) > MOST_OBJECTS:
                    complete = False
                    break
                part = None if entries <= AT_ONCE else slice(first, first + AT_ONCE)
                with meter.pausing():
                    uninterrupted(_following(queue, _Stretch(stretch.start, stretch.stop, part), seen))
                yield 0.002
            done = stretch.stop
        complete = complete and done >= len(queue)
    return sum(sizes), complete


class _Stretch(NamedTuple):
    """Of the queue."""

    start: int
    stop: int
    entries: slice | None = None
    """Of a container with too many for one call, which is then alone in its stretch: those to follow."""


def _next_stretch(queue: list[Any], start: int) -> tuple[_Stretch, int]:
    """So many objects that their containers have at most ``AT_ONCE`` entries in all, and how many these have."""
    stop = min(len(queue), start + AT_ONCE)
    places: list[int] = []
    lengths: list[int] = []

    def sized() -> Iterator[bool]:
        return map(SIZED_IDS.__contains__, map(id, map(type, islice(queue, start, stop))))

    uninterrupted(
        [
            partial(places.extend, compress(range(start, stop), sized())),
            partial(lengths.extend, map(len, compress(islice(queue, start, stop), sized()))),
        ]
    )
    entries = 0
    for place, length in zip(places, lengths, strict=True):
        if entries + length > AT_ONCE and place > start:
            return _Stretch(start, place), entries
        entries += length
        if entries > AT_ONCE:
            return _Stretch(start, place + 1), entries
    return _Stretch(start, stop), entries


def _sizing(queue: list[Any], stretch: _Stretch, sizes: list[int]) -> list[Step]:
    def now() -> Iterator[Any]:
        return islice(queue, stretch.start, stretch.stop)

    def plain() -> Iterator[bool]:
        return map(PLAIN_IDS.__contains__, map(id, map(type, now())))

    others = compress(now(), map(not_, plain()))
    return [
        partial(sizes.extend, map(sys.getsizeof, compress(now(), plain()))),
        partial(sizes.extend, map(_HEADERS.__add__, map(_basic_size_of, map(type, others)))),
    ]


def _following(queue: list[Any], stretch: _Stretch, seen: set[int]) -> list[Step]:
    """Queue what a stretch of the queue refers to, is new and is its own."""
    now: list[Any] = []
    fresh: dict[int, Any] = {}

    def dicts() -> Iterator[Any]:
        return compress(now, map(DICT_IDS.__contains__, map(id, map(type, now))))

    def others() -> Iterator[Any]:
        return compress(now, map(not_, map(DICT_IDS.__contains__, map(id, map(type, now)))))

    def referents() -> Iterator[Any]:
        if stretch.entries is not None:
            containers = chain(map(dict.__iter__, dicts()), map(dict.values, dicts()), map(iter, others()))
            bounds = repeat(stretch.entries.start), repeat(stretch.entries.stop)
            return chain.from_iterable(map(islice, containers, *bounds))
        # The dicts again: one that is not tracked, of texts say, names no referents.
        entries = chain(map(dict.__iter__, dicts()), map(dict.values, dicts()))
        return chain.from_iterable(chain(map(gc.get_referents, now), entries))

    def new() -> Iterator[Any]:
        # Begun when it is pulled: an iterator over a dict does not survive that the dict is filled.
        return chain.from_iterable(map(dict.values, (fresh,)))

    def is_new() -> Iterator[bool]:
        return map(not_, map(seen.__contains__, map(id, new())))

    def is_shared() -> Iterator[bool]:
        kinds = map(_SHARED.__contains__, map(id, map(type, new())))
        return map(or_, kinds, map(and_, map(_flags_of, map(type, new())), repeat(_IS_CLASS)))

    return [
        partial(now.extend, islice(queue, stretch.start, stretch.stop)),
        partial(fresh.update, zip(map(id, referents()), referents(), strict=False)),
        now.clear,
        partial(queue.extend, compress(compress(new(), is_new()), map(not_, compress(is_shared(), is_new())))),
        partial(seen.update, chain.from_iterable((fresh,))),
        fresh.clear,
    ]
