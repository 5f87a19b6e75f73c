"""Passes over the heap of the host, part by part. No reference to an object of it is held between two parts.

Each part is one uninterrupted C call: the tracked objects are listed, a part of the list is gone through, and only
numbers, texts and types come out; or, where that is the question, a few objects to look at (see :mod:`hands`).
Listing again for each part costs about as much as looking through it, and is the price for holding nothing.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import chain, compress, islice, pairwise, repeat, starmap, tee
from operator import is_, le, not_
from types import ModuleType
from typing import Any, NamedTuple

from memwatch.diagnosis.meter import Meter
from memwatch.diagnosis.reading import module_dict_of
from memwatch.sampling.quiet import Step, uninterrupted

SEARCH_PARTS = 20
"""Of a pass that asks every object what it refers to."""
LEAST_PART = 50_000
_OLDEST, _YOUNGER = 2, (1, 0)
FROZEN_STEPS = 3
MOST_FROZEN = 2_000_000
OVERLAP = 2_000
"""Objects that one part shares with the next: the heap may shift meanwhile. Who counts must count by id."""
CHUNK = 128
"""Objects asked at once for what they refer to."""
BIG = 50_000
"""Entries from which a container is gone through without a list of what it refers to."""
MOST_FOUND = 1_000
"""Objects that one part may bring out."""

Objects = Callable[[], Iterator[Any]]
"""A new lazy iterator over the objects of a part, in C."""

Gather = Callable[[Objects, int], list[Step]]
"""Gives the steps for a part, from its objects and about how many they are."""

_ITERATED: tuple[type, ...] = (list, tuple, set, frozenset, deque)
_SIZED_IDS = frozenset(map(id, (*_ITERATED, dict)))
_ITERATED_IDS = frozenset(map(id, _ITERATED))
_DICT_IDS = frozenset((id(dict),))


def of_types(type_ids: frozenset[int], objects: Objects) -> Iterator[Any]:
    """Those of ``objects()`` whose exact type is one of these, lazily and in C."""
    return compress(objects(), map(type_ids.__contains__, map(id, map(type, objects()))))


def count_objects(meter: Meter, *, generation: int | None = None) -> int:
    """How many objects are tracked, in all or in one generation."""
    lengths: list[int] = []
    with meter.pausing():
        uninterrupted([partial(lengths.extend, map(len, map(gc.get_objects, (generation,))))])
    return lengths[0]


def walk(meter: Meter, gather: Gather, *, parts: int = 10) -> Iterator[float]:
    """Go through the heap once, part by part; ``gather(objects, size)`` gives the steps for a part of that size.

    A large heap is gone through in about ``parts`` parts, a small one in fewer.

    Yields seconds to wait between two parts: as long as the last one took, so that the host gets its turn.

    The parts are of the oldest generation, whose order stays when younger objects join it: they do so at its end. The
    younger generations come with the last part; where they are large the host has the collector off, and nothing moves.
    """
    young = sum(count_objects(meter, generation=number) for number in _YOUNGER)
    listed = _OLDEST if young < LEAST_PART else None
    total = count_objects(meter, generation=listed)
    size = max(LEAST_PART, total // parts)
    for start in range(0, max(total, 1), size):
        last = start + size >= total
        began = time.perf_counter()
        if last:
            _run(meter, gather, _Part(listed, start, None, () if listed is None else _YOUNGER, size + 2 * LEAST_PART))
        else:
            _run(meter, gather, _Part(listed, start, start + size + OVERLAP, (), size + OVERLAP))
            yield time.perf_counter() - began


class _Part(NamedTuple):
    listed: int | None
    """The generation that is listed, ``None`` for all."""
    start: int
    stop: int | None
    younger: tuple[int, ...]
    """Generations that are gone through as well."""
    size: int
    """Objects in it, at most."""


def _run(meter: Meter, gather: Gather, which: _Part) -> None:
    heap: list[list[Any]] = []
    part: list[list[Any]] = []
    cleared: list[None] = []

    def objects() -> Iterator[Any]:
        return chain.from_iterable(part)

    steps: list[Step] = [
        partial(heap.extend, map(gc.get_objects, (which.listed,))),
        partial(part.extend, map(list.__getitem__, heap, (slice(which.start, which.stop),))),
        partial(cleared.extend, map(list.clear, heap)),
        heap.clear,
        partial(part.extend, map(gc.get_objects, which.younger)),
        *gather(objects, which.size),
        partial(cleared.extend, map(list.clear, part)),
        part.clear,
    ]
    with meter.pausing():
        uninterrupted(steps)


def walk_frozen(meter: Meter, gather: Gather) -> None:
    """Go through what modules lead to in a few steps, in one part: objects that no list of tracked objects has.

    Those are the objects that ``gc.freeze()`` has set apart (Celery and gunicorn sites call it before they fork), and
    containers that are not tracked, such as a dict of texts.
    """
    layers: list[list[Any]] = [[] for _ in range(FROZEN_STEPS + 1)]
    once: dict[int, Any] = {}
    part: list[list[Any]] = []
    cleared: list[None] = []

    def every() -> Iterator[Any]:
        return chain.from_iterable(layers)

    def objects() -> Iterator[Any]:
        return chain.from_iterable(part)

    steps: list[Step] = [partial(layers[0].extend, chain.from_iterable(map(dict.values, _namespaces())))]
    for below, above in pairwise(layers):
        referents = tee(chain.from_iterable(map(gc.get_referents, below)))
        steps += [
            partial(once.update, zip(map(id, referents[0]), referents[1], strict=False)),
            partial(above.extend, chain.from_iterable(map(dict.values, (once,)))),
            once.clear,
        ]
    del referents
    steps += [
        partial(once.update, zip(map(id, every()), every(), strict=False)),
        partial(part.extend, map(list, map(dict.values, (once,)))),
        once.clear,
        partial(cleared.extend, map(list.clear, layers)),
        *gather(objects, MOST_FROZEN),
        partial(cleared.extend, map(list.clear, part)),
        part.clear,
    ]
    with meter.pausing():
        uninterrupted(steps)


def _namespaces() -> Iterator[Any]:
    """Of the loaded plain modules, lazily and in C."""
    plain = map(is_, map(type, sys.modules.values()), repeat(ModuleType))
    return map(module_dict_of, compress(sys.modules.values(), plain))


def of_big_containers(ids: set[int], objects: Objects) -> list[Step]:
    """Steps that put into ``ids`` those of the big containers of a part."""
    sized: list[Any] = []
    return [
        partial(sized.extend, of_types(_SIZED_IDS, objects)),
        partial(ids.update, map(id, compress(sized, map(le, repeat(BIG), map(len, sized))))),
        sized.clear,
    ]


def find_big_containers(meter: Meter) -> Generator[float, None, frozenset[int]]:
    """The ids of the big containers. Yields seconds to wait."""
    ids: set[int] = set()
    yield from walk(meter, lambda objects, _size: of_big_containers(ids, objects))
    return frozenset(ids)


def referring_to(
    wanted: frozenset[int], big: frozenset[int], found: list[Any], own: set[int], *, objects: Objects, size: int
) -> list[Step]:
    """Steps that put into ``found`` the objects of a part that refer to one whose id is ``wanted``.

    Those whose ids are in ``big`` are gone through entry by entry. Our own lists may be among what is found: their ids
    are added to ``own``.
    """
    chunks: list[tuple[Any, ...]] = []
    hits: list[tuple[Any, ...]] = []
    own.update(map(id, (found, chunks, hits)))

    def hit(referents: Iterable[Iterable[Any]]) -> Iterator[bool]:
        return map(not_, map(wanted.isdisjoint, map(map, repeat(id), referents)))

    def in_hits() -> Iterator[Any]:
        return chain.from_iterable(hits)

    steps: list[Step] = []
    rest = objects()
    if big:
        steps += _in_big_containers(hit, big, found, own, objects)
        rest = compress(rest, map(not_, map(big.__contains__, map(id, objects()))))
    return [
        *steps,
        partial(chunks.extend, map(tuple, map(islice, repeat(rest), repeat(CHUNK, size // CHUNK + 2)))),
        partial(hits.extend, compress(chunks, hit(starmap(gc.get_referents, chunks)))),
        chunks.clear,
        partial(found.extend, islice(compress(in_hits(), hit(map(gc.get_referents, in_hits()))), MOST_FOUND)),
        hits.clear,
    ]


def _in_big_containers(
    hit: Callable[[Iterable[Iterable[Any]]], Iterator[bool]],
    big: frozenset[int],
    found: list[Any],
    own: set[int],
    objects: Objects,
) -> list[Step]:
    containers: list[Any] = []
    own.add(id(containers))

    def dicts() -> Iterator[Any]:
        return of_types(_DICT_IDS, lambda: iter(containers))

    def others() -> Iterator[Any]:
        return of_types(_ITERATED_IDS, lambda: iter(containers))

    return [
        *with_ids(big, containers, objects),
        partial(found.extend, compress(dicts(), hit(map(dict.values, dicts())))),
        partial(found.extend, compress(dicts(), hit(map(iter, dicts())))),
        partial(found.extend, compress(others(), hit(map(iter, others())))),
        containers.clear,
    ]


def with_ids(wanted: frozenset[int], found: list[Any], objects: Objects) -> list[Step]:
    """Steps that put into ``found`` the objects of a part that have these ids."""
    return [partial(found.extend, compress(objects(), map(wanted.__contains__, map(id, objects()))))]
