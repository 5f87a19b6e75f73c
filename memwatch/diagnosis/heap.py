"""Passes over the heap of the host, part by part. No reference to an object of it is held between two parts.

Each part is one uninterrupted C call: the tracked objects are listed, a part of the list is gone through, and only
numbers, texts and types come out; or, where that is the question, a few objects to look at (see :mod:`hands`).
Listing again for each part costs about as much as looking through it, and is the price for holding nothing.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import chain, compress, islice, pairwise, repeat, starmap, tee
from operator import is_
from types import ModuleType
from typing import Any, NamedTuple

from memwatch.diagnosis.big_containers import BigContainers, Gather, Objects, hit, note_big
from memwatch.diagnosis.meter import Meter
from memwatch.diagnosis.reading import module_dict_of
from memwatch.sampling.quiet import Step, late, uninterrupted

PARTS = 10
SEARCH_PARTS = 25
"""Of a pass that does more with every object: asks what it refers to, say."""
LEAST_PART = 40_000
_OLDEST, _YOUNGER = 2, (1, 0)
FROZEN_STEPS = 3
MOST_FROZEN = 2_000_000
OVERLAP = 2_000
"""Objects that one part shares with the next: the heap may shift meanwhile. Who counts must count by id."""
CHUNK = 128
"""Objects asked at once for what they refer to."""
MOST_FOUND = 1_000
"""Objects that one part may bring out."""

Turns = Callable[[], Iterable[Gather]]


def count_objects(meter: Meter, *, generation: int | None = None) -> int:
    """How many objects are tracked, in all or in one generation."""
    lengths: list[int] = []
    with meter.pausing():
        uninterrupted([partial(lengths.extend, map(len, map(gc.get_objects, (generation,))))])
    return lengths[0]


def walk(
    meter: Meter, gather: Gather, *, parts: int = PARTS, turns: Turns = tuple, newest: int | None = None
) -> Iterator[float]:
    """Go through the heap once, part by part; ``gather(objects, size)`` gives the steps for a part of that size.

    A large heap is gone through in about ``parts`` parts, a small one in fewer. ``turns()``, asked after each part,
    tells what that part is to be gone through for again. Only about as many of the ``newest`` objects, where that is
    given, are gone through; all of them in a process that has the collector off.

    Yields seconds to wait between two parts: as long as the last one took, so that the host gets its turn.

    The parts are of the oldest generation, whose order stays when younger objects join it: they do so at its end. The
    younger generations come with the last part; where they are large the host has the collector off, and nothing moves.
    """
    young = sum(count_objects(meter, generation=number) for number in _YOUNGER)
    listed = _OLDEST if young < LEAST_PART else None
    total = count_objects(meter, generation=listed)
    first = max(0, total - newest) if newest is not None and listed is not None else 0
    size = max(LEAST_PART, (total - first) // parts)
    took_s = None
    for start in range(first, max(total, 1), size):
        if start + size >= total:
            which = _Part(listed, start, None, () if listed is None else _YOUNGER, size + 2 * LEAST_PART)
        else:
            which = _Part(listed, start, start + size + OVERLAP, (), size + OVERLAP)
        for work in _all(gather, turns):
            if took_s is not None:
                yield took_s
            began = time.perf_counter()
            _run(meter, work, which)
            took_s = time.perf_counter() - began


def _all(gather: Gather, turns: Turns) -> Iterator[Gather]:
    yield gather
    yield from turns()


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


def walk_frozen(meter: Meter, gather: Gather, *, turns: Turns = tuple) -> Iterator[float]:
    """Go through what modules lead to in a few steps, in one part: objects that no list of tracked objects has.

    Yields seconds to wait after each turn. Those are the objects that ``gc.freeze()`` has set apart (Celery and
    gunicorn sites call it before they fork), and containers that are not tracked, such as a dict of texts.
    """
    for work in _all(gather, turns):
        began = time.perf_counter()
        _run_frozen(meter, work)
        yield time.perf_counter() - began


def _run_frozen(meter: Meter, gather: Gather) -> None:
    layers: list[list[Any]] = [[] for _ in range(FROZEN_STEPS + 1)]
    once: dict[int, Any] = {}
    part: list[list[Any]] = []
    cleared: list[None] = []

    def every() -> Iterator[Any]:
        return chain.from_iterable(layers)

    def objects() -> Iterator[Any]:
        return chain.from_iterable(part)

    steps: list[Step] = [partial(layers[0].extend, chain.from_iterable(map(dict.values, namespaces())))]
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


def namespaces() -> Iterator[Any]:
    """Of the loaded plain modules, lazily and in C."""
    plain = map(is_, map(type, late(dict.values, sys.modules)), repeat(ModuleType))
    return map(module_dict_of, compress(late(dict.values, sys.modules), plain))


def find_big_containers(meter: Meter) -> Generator[float, None, dict[int, int]]:
    """The lengths of the big containers by id. Yields seconds to wait."""
    lengths: dict[int, int] = {}
    yield from walk(meter, lambda objects, _size: note_big(lengths, objects))
    return lengths


def referring_to(
    wanted: frozenset[int], big: BigContainers, found: list[Any], own: set[int], *, objects: Objects, size: int
) -> list[Step]:
    """Steps that put into ``found`` the objects of a part that refer to one whose id is ``wanted``.

    The big containers are left out: see :meth:`BigContainers.turns`. Our own lists may be among what is found: their
    ids are added to ``own``.
    """
    chunks: list[tuple[Any, ...]] = []
    hits: list[tuple[Any, ...]] = []
    own.update(map(id, (found, chunks, hits)))
    steps, rest = big.left_out(objects)

    def in_hits() -> Iterator[Any]:
        return chain.from_iterable(hits)

    return [
        *steps,
        partial(chunks.extend, map(tuple, map(islice, repeat(rest), repeat(CHUNK, size // CHUNK + 2)))),
        partial(hits.extend, compress(chunks, hit(wanted, starmap(gc.get_referents, chunks)))),
        chunks.clear,
        partial(found.extend, islice(compress(in_hits(), hit(wanted, map(gc.get_referents, in_hits()))), MOST_FOUND)),
        hits.clear,
    ]
