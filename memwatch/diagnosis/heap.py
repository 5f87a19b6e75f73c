"""Passes over the heap of the host, part by part. No reference to an object of it is held between two parts.

Each part is one uninterrupted C call: the tracked objects are listed, a part of the list is gone through, and only
numbers, texts and types come out; or, where that is the question, a few objects to look at (see :mod:`hands`).
Listing again for each part costs about as much as looking through it, and is the price for holding nothing.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, compress, islice, repeat, starmap
from operator import le, not_
from typing import Any

from memwatch.diagnosis.meter import Meter
from memwatch.sampling.quiet import Step, uninterrupted

PARTS = 10
"""A large heap is gone through in about so many parts, a small one in fewer."""
LEAST_PART = 50_000
OVERLAP = 2_000
"""Objects that one part shares with the next: the heap may shift meanwhile. Who counts must count by id."""
CHUNK = 128
"""Objects asked at once for what they refer to."""
BIG = 10_000
"""Entries from which a container is gone through without a list of what it refers to."""
MOST_FOUND = 1_000
"""Objects that one part may bring out."""

Objects = Callable[[], Iterator[Any]]
"""A new lazy iterator over the objects of a part, in C."""

_ITERATED: tuple[type, ...] = (list, tuple, set, frozenset, deque)
_SIZED_IDS = frozenset(map(id, (*_ITERATED, dict)))
_ITERATED_IDS = frozenset(map(id, _ITERATED))
_DICT_IDS = frozenset((id(dict),))


def of_types(type_ids: frozenset[int], objects: Objects) -> Iterator[Any]:
    """Those of ``objects()`` whose exact type is one of these, lazily and in C."""
    return compress(objects(), map(type_ids.__contains__, map(id, map(type, objects()))))


def count_objects(meter: Meter) -> int:
    """How many objects are tracked."""
    lengths: list[int] = []
    with meter.pausing():
        uninterrupted([partial(lengths.extend, map(len, map(gc.get_objects, (None,))))])
    return lengths[0]


def walk(meter: Meter, gather: Callable[[Objects, int], list[Step]]) -> Iterator[float]:
    """Go through the heap once, part by part; ``gather(objects, size)`` gives the steps for a part of that size.

    Yields seconds to wait between two parts: as long as the last one took, so that the host gets its turn.
    """
    total = count_objects(meter)
    size = max(LEAST_PART, total // PARTS)
    for start in range(0, max(total, 1), size):
        last = start + size >= total
        began = time.perf_counter()
        _run(meter, gather, start, None if last else start + size + OVERLAP, size + OVERLAP)
        if not last:
            yield time.perf_counter() - began


def _run(meter: Meter, gather: Callable[[Objects, int], list[Step]], start: int, stop: int | None, size: int) -> None:
    heap: list[list[Any]] = []
    part: list[list[Any]] = []
    cleared: list[None] = []

    def objects() -> Iterator[Any]:
        return chain.from_iterable(part)

    steps: list[Step] = [
        partial(heap.extend, map(gc.get_objects, (None,))),
        partial(part.extend, map(list.__getitem__, heap, (slice(start, stop),))),
        partial(cleared.extend, map(list.clear, heap)),
        heap.clear,
        *gather(objects, size),
        partial(cleared.extend, map(list.clear, part)),
        part.clear,
    ]
    with meter.pausing():
        uninterrupted(steps)


def referring_to(wanted: frozenset[int], found: list[Any], own: set[int], objects: Objects, size: int) -> list[Step]:
    """Steps that put into ``found`` the objects of a part that refer to one whose id is ``wanted``.

    Our own lists may be among them: their ids are added to ``own``.
    """
    sized: list[Any] = []
    big: list[Any] = []
    big_ids: set[int] = set()
    chunks: list[tuple[Any, ...]] = []
    hits: list[tuple[Any, ...]] = []
    own.update(map(id, (found, sized, big, chunks, hits)))

    def hit(referents: Iterable[Iterable[Any]]) -> Iterator[bool]:
        return map(not_, map(wanted.isdisjoint, map(map, repeat(id), referents)))

    def in_hits() -> Iterator[Any]:
        return chain.from_iterable(hits)

    def all_big() -> Iterator[Any]:
        return iter(big)

    def in_chunks(rest: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
        return map(tuple, map(islice, repeat(rest), repeat(CHUNK, size // CHUNK + 2)))

    def dicts() -> Iterator[Any]:
        return of_types(_DICT_IDS, all_big)

    def others() -> Iterator[Any]:
        return of_types(_ITERATED_IDS, all_big)

    small = compress(objects(), map(not_, map(big_ids.__contains__, map(id, objects()))))
    return [
        partial(sized.extend, of_types(_SIZED_IDS, objects)),
        partial(big.extend, compress(sized, map(le, repeat(BIG), map(len, sized)))),
        sized.clear,
        partial(big_ids.update, map(id, big)),
        partial(found.extend, compress(dicts(), hit(map(dict.values, dicts())))),
        partial(found.extend, compress(dicts(), hit(map(iter, dicts())))),
        partial(found.extend, compress(others(), hit(map(iter, others())))),
        big.clear,
        partial(chunks.extend, in_chunks(small)),
        partial(hits.extend, compress(chunks, hit(starmap(gc.get_referents, chunks)))),
        chunks.clear,
        partial(found.extend, islice(compress(in_hits(), hit(map(gc.get_referents, in_hits()))), MOST_FOUND)),
        hits.clear,
    ]


def with_ids(wanted: frozenset[int], found: list[Any], objects: Objects) -> list[Step]:
    """Steps that put into ``found`` the objects of a part that have these ids."""
    return [partial(found.extend, compress(objects(), map(wanted.__contains__, map(id, objects()))))]
