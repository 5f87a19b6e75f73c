"""Passes over the heap of the host, part by part, between which the host runs.

Each part is one uninterrupted C call: a part of the listed objects is gone through (see :mod:`tracked_objects`), and
only numbers, texts and types come out; or, where that is the question, a few objects to look at (see
:mod:`borrowed`).
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import chain, compress, islice, repeat, starmap
from operator import not_
from types import ModuleType
from typing import Any

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap.big_containers import BigContainers, Gather, Objects, hit, note_big
from memwatch.diagnosis.heap.frozen_objects import Reached
from memwatch.diagnosis.heap.tracked_objects import Held, Listing
from memwatch.sampling.atomic import FREE_THREADED, Step, possible, uninterrupted

PARTS = 20
SEARCH_PARTS = 50
"""Objects at once in a pass that does more with each, such as asking what it refers to."""
LEAST_PART = 20_000
MOST_YOUNG = 40_000
"""Objects of a younger generation that are gone through at once."""
_OLDEST, _YOUNGER = 2, () if FREE_THREADED else (1, 0)
"""Generations. A free-threaded build has one, and gives all of it whichever is asked for."""
CHUNK = 128
"""Objects asked at once for what they refer to."""
MOST_FOUND = 1_000
"""Objects that one part may bring out."""
LONGEST_HOLD_MS = 50.0
"""For which the interpreter may be held at a time."""
MOST_OBJECTS = 600_000
"""Tracked objects that are listed within about that time."""

Turns = Callable[[], Iterable[Gather]]


def total_objects(host: Host, meter: Meter) -> int:
    """About how many are tracked: by the last census, else counted; of too many blocks every second one is taken."""
    blocks = sys.getallocatedblocks()
    return host.total_objects() or (blocks // 2 if blocks > 4 * MOST_OBJECTS else count_objects(meter))


def refuse_large(host: Host, meter: Meter, no_copy: str) -> None:
    """Raise :class:`Refused` where its objects cannot be listed, or not without holding the process for long.

    ``no_copy``: why they are not listed in a copy.
    """
    if not possible():
        raise Refused(f"{no_copy}, and nothing can be searched within the process without the global lock: try later")
    objects = total_objects(host, meter)
    if objects > MOST_OBJECTS:
        raise Refused(
            f"{objects:,} objects cannot be searched within the process without holding it for more than "
            f"{LONGEST_HOLD_MS:.0f} ms at a time, and {no_copy}: record a process with fewer"
        )


def count_objects(meter: Meter, *, generation: int | None = None) -> int:
    """How many objects are tracked, in all or in one generation."""
    lengths: list[int] = []
    with meter.pausing():
        uninterrupted([partial(lengths.extend, map(len, map(gc.get_objects, (generation,))))])
    return lengths[0]


def walk(
    host: Host, meter: Meter, gather: Gather, *, parts: int = PARTS, turns: Turns = tuple, newest: int | None = None
) -> Iterator[float]:
    """Go through the heap once, the newest part first; ``gather(objects, size)`` gives the steps for one of that size.

    A large heap is gone through in about ``parts`` parts, a small one in fewer. ``turns()``, asked after each part,
    tells what that part is to be gone through for again. Only about as many of the ``newest`` objects, where that is
    given, are gone through; all of them in a process that has the collector off.

    Yields seconds to wait between two parts: as long as the last one took, so that the host gets its turn.

    The parts are of the oldest generation, whose order stays when younger objects join it: they do so at its end. The
    younger generations come with the first part; but a large one, as of a host that has the collector off, in parts.
    """
    young = {number: count_objects(meter, generation=number) for number in _YOUNGER}
    large = [number for number in _YOUNGER if young[number] >= MOST_YOUNG]
    younger = tuple(number for number in _YOUNGER if number not in large)
    room = 2 * sum(young[number] for number in younger) + MOST_YOUNG
    for generation in (_OLDEST, *large):
        began = time.perf_counter()
        listing = Listing(host, meter, generation, newest=None if large else newest)
        try:
            yield time.perf_counter() - began
            yield from _through(listing, parts, gather, turns, younger=younger, room=room)
        finally:
            listing.close()
        younger, room = (), 0


def walk_frozen(
    host: Host, meter: Meter, gather: Gather, *, turns: Turns = tuple, big: dict[int, int] | None = None
) -> Iterator[float]:
    """Go through what modules lead to in a few steps (see :mod:`frozen_objects`), in parts as well.

    ``big`` is given the lengths of its big containers, by id. Yields seconds to wait between two parts.
    """
    found = Reached(host, meter)
    try:
        yield from found.reach({} if big is None else big)
        yield from _through(found, SEARCH_PARTS, gather, turns)
    finally:
        found.close()


def _through(
    objects: Held, parts: int, gather: Gather, turns: Turns, *, younger: tuple[int, ...] = (), room: int = 0
) -> Iterator[float]:
    size = max(LEAST_PART, -(-objects.remaining // parts))
    while True:
        began = time.perf_counter()
        objects.begin_part(size)
        objects.run(gather, younger, room)
        for again in turns():
            yield time.perf_counter() - began
            began = time.perf_counter()
            objects.run(again, younger, room)
        objects.end_part()
        younger, room = (), 0
        yield time.perf_counter() - began
        if not objects.remaining:
            return


def find_big_containers(host: Host, meter: Meter) -> Generator[float, None, dict[int, int]]:
    """The lengths of the big containers by id. Yields seconds to wait."""
    lengths: dict[int, int] = {}
    yield from walk(host, meter, lambda objects, _size: note_big(lengths, objects))
    return lengths


def objects_but_modules(objects: Objects) -> Objects:
    """The modules are never asked what they refer to: their namespaces are objects of their own.

    What C code keeps beside these is not always only looked at: asked by ``gc.get_referents``, ``_asyncio`` of Python
    3.12.0 to 3.12.5 brings freed objects of a free list back to life, and the next collection never ends.
    """

    def others() -> Iterator[Any]:
        return compress(objects(), map(not_, map(issubclass, map(type, objects()), repeat(ModuleType))))

    return others


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
    steps, rest = big.left_out(objects_but_modules(objects))

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
