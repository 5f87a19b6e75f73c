"""A look at the heap for big built-in containers, in one uninterrupted C call: where there is no compiled walk.

It finds the exact ``list``, ``dict``, ``set``, ``tuple`` and ``deque`` objects with at least 250 entries among
the tracked objects, and among the values of modules also the dicts and bytearrays that the collector does not track
(a dict of texts, say). Out of the call come only numbers, texts and types.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, compress, islice, repeat
from operator import call, is_, le, not_
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from memwatch.sampling.atomic import Step, breathe, late, uninterrupted

BIG = 250
"""Entries from which a container is looked at: a few hundred rendered pages are megabytes."""
SAMPLED_ENTRIES = 50
"""Entries of which type and size are looked at."""
SAMPLED_OBJECTS = 2_000
"""Objects whose sizes are looked at, evenly spread over the heap."""

KINDS: tuple[type, ...] = (list, dict, set, tuple, deque, bytearray)
_KIND_IDS = frozenset(map(id, KINDS))
_LOOSE_IDS = frozenset(map(id, (dict, bytearray)))
_PLAIN: tuple[type, ...] = (
    *(str, bytes, bytearray, int, float, complex, bool, type(None)),
    *(list, dict, set, frozenset, tuple, deque, FunctionType, MethodType, CellType),
)
PLAIN_IDS = frozenset(map(id, _PLAIN))
"""Types whose ``__sizeof__`` is C code."""

_dict_of: Callable[[Any], dict[str, Any]] = vars(ModuleType)["__dict__"].__get__


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A big container, as numbers and types."""

    token: int
    kind: type
    length: int
    entry_types: list[type]
    entry_sizes: list[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What one look has found."""

    containers: list[Found]
    sampled_types: list[type]
    """Types of objects spread over the heap, built-in types only."""
    sampled_sizes: list[int]
    """Their shallow sizes in bytes."""
    pause_ms: float


def map_each(function: Callable[..., Any], iterables: Iterable[Iterable[Any]]) -> Iterator[Iterator[Any]]:
    """``map(function, iterable)`` of each of ``iterables``, lazily and in C."""
    return map(map, repeat(function), iterables)


def _of_type(kinds: frozenset[int], objects: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """Those of ``objects()`` whose exact type is one of ``kinds`` (ids), lazily and in C."""
    return compress(objects(), map(kinds.__contains__, map(id, map(type, objects()))))


def _newest_values(dicts: Iterable[dict[Any, Any]]) -> Iterator[Iterator[Any]]:
    return map(reversed, map(dict.values, dicts))


_GROUPS: tuple[tuple[tuple[type, ...], Callable[[Iterable[Any]], Iterator[Iterator[Any]]]], ...] = (
    ((list, tuple, deque), partial(map, reversed)),
    ((dict,), _newest_values),
    ((set, bytearray), partial(map, iter)),
)
"""Kinds that are read in the same way, and how: the newest entries first, where there is an order."""


def of_loaded(read: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
    """``sys.modules``' keys or values where the value is a plain module, lazily and in C."""
    plain = map(is_, map(type, late(dict.values, sys.modules)), repeat(ModuleType))
    return compress(late(read, sys.modules), plain)


def namespaces() -> Iterator[dict[str, Any]]:
    """The namespaces of the loaded modules, lazily and in C."""
    return filter(None, map(_dict_of, of_loaded(dict.values)))


class _Harvest:
    """What the programs of one look bring home: numbers, texts and types."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.kinds: list[type] = []
        self.lengths: list[int] = []
        self.types: list[list[type]] = []
        self.sizes: list[list[int]] = []
        self.sampled_types: list[type] = []
        self.sampled_sizes: list[int] = []
        self.pause_ms = 0.0

    def run(self, gather: Callable[[list[Any]], list[Step]]) -> None:
        """Run one program: ``gather(big)`` gives the steps that put big containers into the list ``big``."""
        big: list[Any] = []
        marks: list[float] = []
        steps: list[Step] = [partial(marks.extend, map(call, (time.thread_time,))), *gather(big)]
        for kinds, entries_of in _GROUPS:
            steps += self._details(kinds, entries_of, big)
        breathe()
        steps += [big.clear, partial(marks.extend, map(call, (time.thread_time,)))]
        uninterrupted(steps)
        self.pause_ms = max(self.pause_ms, (marks[1] - marks[0]) * 1e3)

    def _details(
        self, kinds: tuple[type, ...], entries_of: Callable[[Iterable[Any]], Iterator[Iterator[Any]]], big: list[Any]
    ) -> list[Step]:
        members: list[Any] = []
        ids = frozenset(map(id, kinds))

        def entries() -> Iterator[Iterator[Any]]:
            return map(islice, entries_of(members), repeat(SAMPLED_ENTRIES))

        plain = map_each(PLAIN_IDS.__contains__, map_each(id, map_each(type, entries())))
        return [
            partial(members.extend, _of_type(ids, lambda: big)),
            partial(self.tokens.extend, map(id, members)),
            partial(self.kinds.extend, map(type, members)),
            partial(self.lengths.extend, map(len, members)),
            partial(self.types.extend, map(list, map_each(type, entries()))),
            partial(self.sizes.extend, map(list, map_each(sys.getsizeof, map(compress, entries(), plain)))),
            members.clear,
        ]

    def containers(self) -> list[Found]:
        """Each container once: a module's dict may have two names.

        The lists of this very look are none: those that bring things home, and those that it had emptied by the time.
        """
        own = frozenset(map(id, vars(self).values()))
        rows = zip(self.tokens, self.kinds, self.lengths, self.types, self.sizes, strict=True)
        return list({row[0]: Found(*row) for row in rows if row[0] not in own and row[2] >= BIG}.values())


def stride(total: int, samples: int) -> int:
    """At every how many objects to look, for about so many samples of ``total``.

    A prime: a program that makes objects in rounds of 10 or 50 would else be met at the same place of each round.
    """
    step = max(1, total // samples)
    while any(step % factor == 0 for factor in range(2, math.isqrt(step) + 1)):
        step += 1
    return step


def look(*, total: int) -> Look:
    """Find the big containers. ``total``: about how many objects are tracked."""
    harvest = _Harvest()
    harvest.run(partial(_tracked_steps, harvest, stride(total, SAMPLED_OBJECTS)))
    harvest.run(_module_steps)
    return Look(harvest.containers(), harvest.sampled_types, harvest.sampled_sizes, harvest.pause_ms)


def _tracked_steps(harvest: _Harvest, spread: int, big: list[Any]) -> list[Step]:
    """Gather among the tracked objects, and look at the size of each ``spread``-th."""
    heap: list[list[Any]] = []
    containers: list[Any] = []
    cleared: list[None] = []

    def objects() -> Iterator[Any]:
        return chain.from_iterable(heap)

    def sample() -> Iterator[Any]:
        return _of_type(PLAIN_IDS, lambda: islice(objects(), 0, None, spread))

    return [
        partial(heap.extend, map(gc.get_objects, (None,))),
        partial(containers.extend, _of_type(_KIND_IDS, objects)),
        partial(harvest.sampled_types.extend, map(type, sample())),
        partial(harvest.sampled_sizes.extend, map(sys.getsizeof, sample())),
        # Cleared in place: an iterator that has not reached the end still holds the list, and may be in it.
        partial(cleared.extend, map(list.clear, heap)),
        heap.clear,
        partial(big.extend, compress(containers, map(le, repeat(BIG), map(len, containers)))),
        containers.clear,
    ]


def _module_steps(big: list[Any]) -> list[Step]:
    """Gather among the values of modules what the collector does not track."""
    containers: list[Any] = []
    untracked: list[Any] = []

    def values() -> Iterator[Any]:
        return _of_type(_LOOSE_IDS, lambda: chain.from_iterable(map(dict.values, namespaces())))

    return [
        partial(containers.extend, values()),
        partial(untracked.extend, compress(containers, map(not_, map(gc.is_tracked, containers)))),
        containers.clear,
        partial(big.extend, compress(untracked, map(le, repeat(BIG), map(len, untracked)))),
        untracked.clear,
    ]
