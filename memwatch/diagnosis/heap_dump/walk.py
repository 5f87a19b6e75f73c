"""In a copy of the process: write down all objects. Plain Python is safe there, since nothing else runs.

Objects that the collector tracks come from its lists, each once. All others are found from those that refer to them:
one that has a single reference is found once, the rest are remembered by their address. So memory goes with the objects
that the collector does not track and that are shared.

Objects are handled in groups of one type, so that most of the work is done in C. Dicts come last: by then it is known
which of them are namespaces, whose keys are names.
"""

from __future__ import annotations

import gc
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, compress, filterfalse, repeat
from types import FrameType
from typing import Any

from memwatch.diagnosis.heap.references import ENTRIES
from memwatch.diagnosis.heap_dump.kinds import LENGTHS, Kind
from memwatch.diagnosis.heap_dump.links import Links
from memwatch.heapdump.format import MAX_SIZE, NONE, Edge, Family, Flag
from memwatch.heapdump.writer import AT_ONCE, Rows

CHUNK = 20_000
"""Objects that are grouped by type at a time."""
EDGES_AT_ONCE = 1 << 24
"""More than the attributes of so many objects are."""
_ATOMS = (Family.STR, Family.BYTES, Family.BYTEARRAY, Family.INT, Family.FLOAT)
_CONTAINERS = LENGTHS.keys() - _ATOMS
_OURS = 3
"""References to an object of a group that are ours: of the group, of ``map`` and of the list it comes from."""
_FOUND_ONCE = 3
"""References to an object that one container holds: of that, of the list of those found, and of ``map``."""
_IMMORTAL = 1 << 29
_HASHED = 1 << 64


def tracked() -> list[Any]:
    """All that the collector tracks. Asked first of all: what is made later is ours, and is not written."""
    if gc.get_freeze_count():
        gc.unfreeze()  # else they are in no list; the process itself keeps them apart
    return gc.get_objects()


class TooMany(Exception):  # noqa: N818 - an answer more than an error
    """There are more objects or edges than may be written."""


class Walk:
    """Writes objects and edges; :attr:`found` are objects that are still to be written."""

    ours = _OURS

    def __init__(self, rows: Rows, *, keys: bool, most: int) -> None:
        self.rows = rows
        self._most = most
        self._kinds: dict[int, Kind] = {}
        self._seen: set[int] = set()
        self._later: list[Any] = []
        self._found: list[Any] = []
        self.links = Links(self, keys=keys)
        self.complete = True

    def all(self, objects: list[Any], more: list[Any]) -> None:
        """Write ``objects`` (see :func:`tracked`), ``more`` objects (frames say), and what these lead to."""
        self._seen.update(map(id, more))
        try:
            self._all(objects, more)
        except TooMany:
            self.complete = False

    def _all(self, objects: list[Any], more: list[Any]) -> None:
        listed = frozenset(map(id, more))
        self._group([each for each in more if type(each) is FrameType], tracked=True)
        for start in range(0, len(objects), CHUNK):
            chunk = objects[start : start + CHUNK]
            if listed:
                chunk = [each for each in chunk if id(each) not in listed]
            self._chunk(chunk, tracked=True)
            del chunk
            self._drain()
        tracked, self._later = self._later, []
        for start in range(0, len(tracked), CHUNK):
            self._dicts(tracked[start : start + CHUNK])
            self._drain()
        while self._later:
            untracked, self._later = self._later, []
            self._dicts(untracked)
            self._drain()

    def kind(self, of: type) -> Kind:
        """What is known of a type."""
        found = self._kinds.get(id(of))
        if found is None:
            found = self._kinds[id(of)] = Kind(of, self.rows.type)
        return found

    def _drain(self) -> None:
        """Write what has been found, and what that leads to."""
        while self._found:
            found, self._found = self._found, []
            for start in range(0, len(found), CHUNK):
                self._chunk(found[start : start + CHUNK], tracked=False)

    def _chunk(self, objects: list[Any], *, tracked: bool) -> None:
        groups: dict[int, list[Any]] = {}
        for each in objects:
            key = id(type(each))
            group = groups.get(key)
            if group is None:
                groups[key] = [each]
            else:
                group.append(each)
        each = None  # the last one would have a reference too many
        objects.clear()
        while groups:
            _, group = groups.popitem()
            self._group(group, tracked=tracked)

    def _group(self, group: list[Any], *, tracked: bool) -> None:
        if not group:
            return
        kind = self.kind(type(group[0]))
        if kind.of is dict:
            self._later += group
            return
        if kind.family in _CONTAINERS:
            self._check_room(kind, group)
        if kind.exact and kind.family in _ATOMS:
            self._objects(kind, group, tracked=tracked, edges=None)
        elif kind.exact and kind.family in ENTRIES:
            self._sequences(kind, group, tracked=tracked)
        else:
            counts = self.references(group)
            edges = self.links.of_group(kind, group)
            beside = self.links.beside
            self._objects(kind, group, tracked=tracked, edges=edges, references=counts, beside=beside)

    def _check_room(self, kind: Kind, containers: list[Any]) -> None:
        """Raise where these may have more edges than the file has room for."""
        if self._edges() + 2 * sum(map(LENGTHS[kind.family], containers)) > self.rows.most_edges - EDGES_AT_ONCE:
            raise TooMany

    def _edges(self) -> int:
        return self.rows.edges.count + len(self.rows.edges.columns[0])

    def references(self, group: list[Any], more: int = 0) -> array[int]:
        """Reference counts of a group without ours; ``more``: of ours, beside the usual ones."""
        counts = map(int.__sub__, map(sys.getrefcount, group), repeat(self.ours + more))
        return array("I", [count if 0 <= count < _IMMORTAL else NONE for count in counts])

    def _objects(
        self,
        kind: Kind,
        group: list[Any],
        *,
        tracked: bool,
        edges: Iterable[int] | None,
        references: array[int] | None = None,
        beside: list[int] | None = None,
    ) -> None:
        """The rows of a group."""
        number = len(group)
        addresses, types, size_column, flags, lengths, hashes, reference_column, edge_column = self.rows.objects.columns
        reference_column.extend(self.references(group) if references is None else references)
        addresses.extend(map(id, group))
        types.extend(repeat(kind.number, number))
        given = [size if 0 <= size < MAX_SIZE else 0 for size in map(kind.size_of, group)]
        sizes = map(kind.header.__add__, given)
        size_column.extend(map(int.__add__, sizes, beside) if beside else sizes)
        flag = (Flag.TRACKED if tracked else 0) | (Flag.EXACT if kind.exact else 0)
        flags.extend(repeat(int(flag), number))
        length_of = LENGTHS.get(kind.family)
        if length_of is None:
            lengths.extend(repeat(NONE, number))
        else:
            lengths.extend(map(min, map(length_of, group), repeat(NONE - 1)))
        if kind.of is str or kind.of is bytes:
            hash_of: Callable[[Any], int] = kind.of.__hash__
            hashes.extend(map(_HASHED.__rmod__, map(hash_of, group)))
        else:
            hashes.extend(repeat(0, number))
        edge_column.extend(repeat(0, number) if edges is None else edges)
        self.rows.objects.full()
        if self.rows.objects.count > self._most or self._edges() > self.rows.most_edges - EDGES_AT_ONCE:
            raise TooMany

    def _sequences(self, kind: Kind, group: list[Any], *, tracked: bool) -> None:
        lengths = list(map(LENGTHS[kind.family], group))
        counts = self.references(group)
        start = total = 0
        for end, length in enumerate(lengths, 1):
            total += length
            if total >= AT_ONCE or end == len(lengths):
                self.refer(partial(chain.from_iterable, group[start:end]), ENTRIES[kind.family])
                start, total = end, 0
        self._objects(kind, group, tracked=tracked, edges=lengths, references=counts)

    def refer(self, targets: Callable[[], Iterator[Any]], kind: Edge) -> None:
        """Edges of one kind without names, to what ``targets()`` gives each time that it is called."""
        columns = self.rows.edges.columns
        before = len(columns[0])
        columns[0].extend(map(id, targets()))
        number = len(columns[0]) - before
        columns[1].extend(repeat(int(kind), number))
        columns[2].extend(repeat(NONE, number))
        self.rows.edges.full()
        self.discover(list(filterfalse(gc.is_tracked, targets())), once=True)

    def discover(self, objects: list[Any], *, once: bool = False) -> None:
        """Objects that are not tracked: those not known yet are to be written.

        ``once``: the list, and the containers that they are from, are all that we have of them.
        """
        if not objects:
            return
        if once:
            single = list(map(_FOUND_ONCE.__eq__, map(sys.getrefcount, objects)))
            self._found += compress(objects, single)
            objects = list(compress(objects, map(False.__eq__, single)))
        new = dict(zip(map(id, objects), objects, strict=True))
        for key in self._seen.intersection(new):
            del new[key]
        self._seen.update(new)
        self._found += new.values()

    def _dicts(self, group: list[Any]) -> None:
        """Rows and edges of dicts. Namespaces name their keys, if these are texts."""
        kind = self.kind(dict)
        tracked = list(map(gc.is_tracked, group))
        for flag in (True, False):
            for namespaces in (True, False):
                part = [
                    each
                    for each, is_so in zip(group, tracked, strict=True)
                    if is_so is flag and (id(each) in self.links.namespaces) is namespaces
                ]
                if part:
                    self._check_room(kind, part)
                    counts = self.references(part, 2 if flag else 1)
                    edges = self.links.of_namespaces(part) if namespaces else self.links.of_dicts(part)
                    self._objects(kind, part, tracked=flag, edges=edges, references=counts)
