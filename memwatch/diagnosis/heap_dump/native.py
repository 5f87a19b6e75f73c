"""The walk through the objects of a copy that is compiled, where this Python has it; see ``_copy_walk.c``.

It touches no object, so the copy comes to own little more than it writes. What it does not know is written by
:class:`Walk`, as all is where it is not there.
"""

from __future__ import annotations

import enum
import gc
from array import array
from collections.abc import Iterator
from itertools import filterfalse
from types import FrameType, FunctionType, MemberDescriptorType
from typing import Any

from memwatch.diagnosis.heap import introspection
from memwatch.diagnosis.heap.introspection import mro_of, namespace_of
from memwatch.diagnosis.heap_dump import compiled
from memwatch.diagnosis.heap_dump.kinds import Kind
from memwatch.diagnosis.heap_dump.links import is_short_identifier
from memwatch.diagnosis.heap_dump.walk import TooMany, Walk
from memwatch.heapdump.format import MAX_ROWS, NONE, Family, Section, TypeFlag
from memwatch.heapdump.writer import Rows
from memwatch.sampling.type_names import clean
from memwatch.sampling.walk import addresses as tracked_addresses

NEWEST = 20_000
"""Of the tracked objects, those that may be the copy's own: it holds them, so that their addresses stay theirs."""


class _How(enum.IntEnum):
    """What the compiled walk does with a type."""

    BY_PYTHON = 0
    ATOM = 1
    SEQUENCE = 2
    SET = 3
    DICT = 4
    INSTANCE = 5
    PLAIN = 6
    FUNCTION = 7
    CODE = 8
    WEAK_REFERENCE = 9


_EXACT = {
    **dict.fromkeys((Family.STR, Family.BYTES, Family.BYTEARRAY, Family.INT, Family.FLOAT), _How.ATOM),
    **dict.fromkeys((Family.LIST, Family.TUPLE), _How.SEQUENCE),
    **dict.fromkeys((Family.SET, Family.FROZENSET), _How.SET),
    Family.DICT: _How.DICT,
    Family.FUNCTION: _How.FUNCTION,
    Family.CODE: _How.CODE,
}
_PLAIN = frozenset(
    (Family.OTHER, Family.STR, Family.BYTES, Family.BYTEARRAY, Family.INT, Family.FLOAT, Family.METHOD, Family.CELL)
) | {Family.TRACEBACK}


def addresses() -> tuple[bytes, list[Any]]:
    """Of all that the collector tracks. Asked first of all: what is made later is ours, and is not written."""
    assert tracked_addresses is not None  # noqa: S101 - for mypy
    found: tuple[bytes, list[Any]] = tracked_addresses(NEWEST)
    return found


class NativeWalk(Walk):
    """Writes objects and edges as :class:`Walk` does, most of them in C."""

    ours = 2

    def __init__(self, rows: Rows, addresses: bytes, *, keys: bool, most: int) -> None:
        super().__init__(rows, keys=keys, most=most)
        self._addresses = addresses
        self._names = keys
        self._emitted = (
            (rows.objects, Section.OBJECTS, rows.after_types),
            (rows.edges, Section.EDGES, rows.after_strings),
            (rows.names, Section.NAMES, rows.after_strings),
        )
        self._native: Any = None
        self._held: frozenset[int] = frozenset()

    def all(self, objects: list[Any], more: list[Any]) -> None:
        """Write the objects at the addresses, ``more`` objects (frames say), and what these lead to.

        ``objects``: those that :func:`addresses` gave.
        """
        assert compiled.module is not None  # noqa: S101 - for mypy
        self._native = compiled.module.Walk(
            self._addresses,
            len(objects),
            self._described,
            self._text,
            self._function,
            self._key if self._names else None,
            self._emit,
            self.links.namespaces,
            self._most,
        )
        self._native.skip(more)
        self._held = frozenset(map(id, objects))
        try:
            self._by_python([each for each in more if type(each) is FrameType])
            while others := self._native.run():
                self._by_python(others)
            self.complete = others is not None
        except TooMany:
            self.complete = False

    def discover(self, objects: list[Any], *, once: bool = False) -> None:
        """Objects that are not tracked: those not known yet are to be written."""
        del once
        self._native.meet(objects)

    def references(self, group: list[Any], more: int = 0) -> array[int]:
        """Those that are the program's."""
        counts = super().references(group, more)
        for place, each in enumerate(group):
            if id(each) in self._held and counts[place] != NONE:
                counts[place] -= 1
        return counts

    def _by_python(self, objects: list[Any]) -> None:
        untracked = list(filterfalse(gc.is_tracked, objects))
        objects[:] = filter(gc.is_tracked, objects)
        self._chunk(objects, tracked=True)
        self._chunk(untracked, tracked=False)
        self.rows.objects.flush()
        self.rows.edges.flush()
        self.rows.names.flush()

    def _emit(self, table: int, rows: int, content: bytes) -> bool:
        """Whether no more edges are taken."""
        to, section, emit = self._emitted[table]
        to.count += rows
        emit(section, content)
        return self.rows.edges.count > self.rows.most_edges - MAX_ROWS

    def _text(self, text: str) -> int:
        return self.rows.string(clean(text))

    def _key(self, key: str) -> int:
        return self.rows.string(key) if is_short_identifier(key) else NONE

    def _function(self, function: FunctionType) -> tuple[int, int, int, bytes]:
        code = introspection.code_of(function)
        file = clean(code.co_filename)
        cells = array("I", [self.links.named(name) for name in code.co_freevars])
        place = self.rows.string(file) if file else NONE
        return self.rows.string(introspection.function_name(function)), place, code.co_firstlineno, cells.tobytes()

    def _described(self, of: type) -> tuple[int, int, int, bool, int, Any, list[tuple[int, Any]]]:
        kind = self.kind(of)
        how = _how(kind)
        slots = list(self._slots(of)) if how == _How.INSTANCE else []
        return kind.number, int(how), int(kind.family), kind.exact, kind.header, kind.size_of, slots

    def _slots(self, of: type) -> Iterator[tuple[int, Any]]:
        for base in reversed(mro_of(of)):
            for name, found in list(namespace_of(base).items()):
                if type(name) is str and type(found) is MemberDescriptorType and not name.startswith("__"):
                    yield self.rows.string(clean(name)), found


def _how(kind: Kind) -> _How:
    if kind.exact and kind.family in _EXACT:
        return _EXACT[kind.family]
    if kind.family is Family.WEAK_REFERENCE:
        return _How.WEAK_REFERENCE
    if kind.family in _PLAIN:
        return _How.INSTANCE if kind.flags & TypeFlag.HEAP else _How.PLAIN
    return _How.BY_PYTHON
