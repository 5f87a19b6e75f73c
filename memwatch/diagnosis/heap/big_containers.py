"""Containers of very many entries: gone through slice by slice, for one of a million is else one long pause.

A pass leaves them out and notes which of them its part of the heap has; then it goes through that part again, once
for each slice. As everywhere no reference is held between two of these turns.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import compress, islice, repeat
from operator import attrgetter, getitem, le, not_
from typing import Any

from memwatch.sampling.atomic import Step

BIG = 50_000
"""Entries from which a container is big."""
SLICE = 50_000
"""Entries gone through in one turn, of one big container or of several."""

Objects = Callable[[], Iterator[Any]]
"""A new lazy iterator over the objects of a part, in C."""

Gather = Callable[[Objects, int], list[Step]]
"""Gives the steps for a part, from its objects and about how many they are."""

_SEQUENCES: tuple[type, ...] = (list, tuple)
_ITERATED: tuple[type, ...] = (set, frozenset, deque)
_SEQUENCE_IDS = frozenset(map(id, _SEQUENCES))
_ITERATED_IDS = frozenset(map(id, _ITERATED))
DICT_IDS = frozenset(map(id, (dict, defaultdict, OrderedDict, Counter)))
"""Containers of the standard library: their length and their iterators are C code too."""
SIZED_IDS = _SEQUENCE_IDS | _ITERATED_IDS | DICT_IDS


def of_types(type_ids: frozenset[int], objects: Objects) -> Iterator[Any]:
    """Those of ``objects()`` whose exact type is one of these, lazily and in C."""
    return compress(objects(), map(type_ids.__contains__, map(id, map(type, objects()))))


def with_ids(wanted: Iterable[int], found: list[Any], objects: Objects) -> list[Step]:
    """Steps that put into ``found`` the objects of a part that have these ids."""
    ids = frozenset(wanted)
    return [partial(found.extend, compress(objects(), map(ids.__contains__, map(id, objects()))))]


def hit(wanted: frozenset[int], referents: Iterable[Iterable[Any]]) -> Iterator[bool]:
    """For each iterable, whether it gives one of the wanted objects; lazily and in C."""
    return map(not_, map(wanted.isdisjoint, map(map, repeat(id), referents)))


def note_big(lengths: dict[int, int], objects: Objects) -> list[Step]:
    """Steps that note the big containers of a part by their ids."""
    sized: list[Any] = []
    of_each = zip(map(id, sized), map(len, sized), strict=False)
    return [
        partial(sized.extend, of_types(SIZED_IDS, objects)),
        partial(lengths.update, compress(of_each, map(le, repeat(BIG), map(len, sized)))),
        sized.clear,
    ]


class BigContainers:
    """Those of one pass, by ``lengths``; what refers to something wanted comes into ``found``, ours into ``own``."""

    def __init__(self, lengths: dict[int, int], wanted: frozenset[int], found: list[Any], own: set[int]) -> None:
        self._lengths = lengths
        self._wanted = wanted
        self._found = found
        self._own = own
        self._here: list[int] = []
        self._hits: set[int] = set()

    def left_out(self, objects: Objects) -> tuple[list[Step], Iterator[Any]]:
        """Steps that note which of them a part has, and the others of its objects."""
        if not self._lengths:
            return [], objects()
        big = self._lengths.__contains__
        note = partial(self._here.extend, filter(big, map(id, objects())))
        return [note], compress(objects(), map(not_, map(big, map(id, objects()))))

    def turns(self) -> Iterator[Gather]:
        """What the part just gone through is to be gone through for again."""
        here = {token: self._lengths[token] for token in self._here}
        self._here.clear()
        for batch in _batches(here, self._hits):
            yield partial(self._slices, batch)

    def _slices(self, batch: dict[int, slice], objects: Objects, _size: int) -> list[Step]:
        containers: list[Any] = []
        hits: list[Any] = []
        self._own.update(map(id, (containers, hits)))

        def those(kinds: frozenset[int]) -> Iterator[Any]:
            return of_types(kinds, lambda: iter(containers))

        def slices(kinds: frozenset[int]) -> Iterator[slice]:
            return map(batch.__getitem__, map(id, those(kinds)))

        def stretch(read: Callable[[Any], Any], kinds: frozenset[int]) -> Iterator[Iterator[Any]]:
            starts, stops = map(_start_of, slices(kinds)), map(_stop_of, slices(kinds))
            return map(islice, map(read, those(kinds)), starts, stops)

        ways: list[tuple[frozenset[int], Iterable[Iterable[Any]]]] = [
            (_SEQUENCE_IDS, map(getitem, those(_SEQUENCE_IDS), slices(_SEQUENCE_IDS))),
            (DICT_IDS, stretch(dict.values, DICT_IDS)),
            (DICT_IDS, stretch(dict.__iter__, DICT_IDS)),
            (_ITERATED_IDS, stretch(iter, _ITERATED_IDS)),
        ]
        return [
            *with_ids(batch, containers, objects),
            *(partial(hits.extend, compress(those(kinds), hit(self._wanted, entries))) for kinds, entries in ways),
            partial(self._hits.update, map(id, hits)),
            partial(self._found.extend, hits),
            hits.clear,
            containers.clear,
        ]


_start_of, _stop_of = attrgetter("start"), attrgetter("stop")


def _batches(lengths: dict[int, int], hits: set[int]) -> Iterator[dict[int, slice]]:
    """Slices of them, ``SLICE`` entries at once; no more of those that were hit in between."""
    batch: dict[int, slice] = {}
    room = SLICE
    for token, length in lengths.items():
        for start in range(0, length, SLICE):
            stop = start + SLICE
            if batch and (token in batch or min(SLICE, length - start) > room):
                yield batch
                batch, room = {}, SLICE
            if token in hits:
                break
            batch[token] = slice(start, stop if stop < length else None)
            room -= min(SLICE, length - start)
    if batch:
        yield batch
