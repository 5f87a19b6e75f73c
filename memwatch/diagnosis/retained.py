"""What a container keeps alive: the shallow sizes of what can be reached from it, within bounds."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator, Iterator
from functools import partial
from itertools import chain, compress, islice, repeat
from operator import and_, is_, not_, or_
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from memwatch.diagnosis.hands import held
from memwatch.diagnosis.host import Host
from memwatch.diagnosis.meter import Meter
from memwatch.sampling.look import PLAIN_IDS
from memwatch.sampling.quiet import Step, uninterrupted

MOST_OBJECTS = 300_000
AT_ONCE = 20_000
"""Objects looked at in one uninterrupted call."""
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
    done = 0
    with held(host) as queue:
        queue.extend(root)
        while done < len(queue) and done < MOST_OBJECTS:
            stop = min(done + AT_ONCE, len(queue))
            with meter.pausing():
                uninterrupted(_steps(queue, slice(done, stop), seen, sizes))
            done = stop
            yield 0.002
        complete = done >= len(queue)
    return sum(sizes), complete


def _steps(queue: list[Any], stretch: slice, seen: set[int], sizes: list[int]) -> list[Step]:
    """Size a stretch of the queue, and queue what it refers to, is new and is its own."""
    now: list[Any] = []
    fresh: dict[int, Any] = {}

    def plain() -> Iterator[bool]:
        return map(PLAIN_IDS.__contains__, map(id, map(type, now)))

    def dicts() -> Iterator[Any]:
        return compress(now, map(is_, map(type, now), repeat(dict)))

    def referents() -> Iterator[Any]:
        # The dicts again: one that is not tracked, of texts say, names no referents.
        entries = chain(map(iter, dicts()), map(dict.values, dicts()))
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
        partial(sizes.extend, map(sys.getsizeof, compress(now, plain()))),
        partial(sizes.extend, map(_HEADERS.__add__, map(_basic_size_of, map(type, compress(now, map(not_, plain())))))),
        partial(fresh.update, zip(map(id, referents()), referents(), strict=False)),
        now.clear,
        partial(queue.extend, compress(compress(new(), is_new()), map(not_, compress(is_shared(), is_new())))),
        partial(seen.update, chain.from_iterable((fresh,))),
        fresh.clear,
    ]
