"""Writing a heap dump: rows are gathered into sections (in the process that is dumped), sections into the file."""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Callable
from typing import Any

from memwatch.heapdump.format import (
    COUNT,
    MAGIC,
    MAX_EDGES,
    MAX_ROWS,
    MAX_STRING,
    MAX_STRINGS,
    MAX_TYPES,
    NONE,
    VERSION,
    Section,
    column,
    deltas,
    packed,
)

Emit = Callable[[Section, bytes], None]
"""Takes a section, not packed."""
AT_ONCE = MAX_ROWS // 2
"""Rows of edges added between two looks at how many there are."""
OTHERS = "…"
"""The name of the strings and types for which a file has no room."""


class Table:
    """Rows of one kind, given to ``emit`` when there are enough. A ``q`` column is stored as differences."""

    def __init__(self, section: Section, codes: str, emit: Emit) -> None:
        self._section, self._emit = section, emit
        self.columns = [array("Q" if code == "q" else code) for code in codes]
        self._differences = [code == "q" for code in codes]
        self.count = 0

    def add(self, *row: int) -> None:
        """One row."""
        for values, value in zip(self.columns, row, strict=True):
            values.append(value)
        self.full()

    def full(self) -> None:
        """Give away whole sections, if there are any."""
        while len(self.columns[0]) >= MAX_ROWS:
            self._give(MAX_ROWS)

    def flush(self) -> None:
        """Give away what is left."""
        self.full()
        if self.columns[0]:
            self._give(len(self.columns[0]))

    def _give(self, rows: int) -> None:
        parts = [COUNT.pack(rows)]
        for values, differences in zip(self.columns, self._differences, strict=True):
            part = values[:rows]
            parts.append(deltas(part) if differences else column(part))
            del values[:rows]
        self.count += rows
        self._emit(self._section, b"".join(parts))


class Rows:
    """All tables of a dump. What refers to a string or a type is given away after it.

    A file has room for so many strings, types and edges: the last string and the last type stand for all others, and
    the dump is then not :attr:`whole`. Who adds edges counts them.
    """

    most_strings, most_types, most_edges = MAX_STRINGS, MAX_TYPES, MAX_EDGES

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.whole = True
        self._strings: dict[str, int] = {}
        self._new: list[bytes] = []
        self._new_bytes = 0
        self.types = Table(Section.TYPES, "IIqBB", self.after_strings)
        self.objects = Table(Section.OBJECTS, "qIQBIQII", self.after_types)
        self.edges = Table(Section.EDGES, "qBI", self.after_strings)
        self.names = Table(Section.NAMES, "qIII", self.after_strings)
        self.roots = Table(Section.ROOTS, "qBIIII", self.after_strings)

    def header(self, **fields: Any) -> None:
        """First of all."""
        self._emit(Section.HEADER, json.dumps({"format": VERSION, **fields}).encode())

    def string(self, text: str) -> int:
        """Its number."""
        number = self._strings.get(text)
        if number is None and len(self._strings) >= self.most_strings - 1:
            self.whole = False
            text = OTHERS
            number = self._strings.get(text)
        if number is None:
            number = self._strings[text] = len(self._strings)
            raw = text.encode("utf-8", "backslashreplace")[:MAX_STRING]
            self._new.append(raw)
            self._new_bytes += len(raw) + COUNT.size
            if len(self._new) == MAX_ROWS or self._new_bytes > MAX_ROWS * 16:
                self._give_strings()
        return number

    def type(self, name: str, module: str, address: int, family: int, flags: int) -> int:
        """The number of a type that is new."""
        number = self.types.count + len(self.types.columns[0])
        if number >= self.most_types - 1:
            self.whole = False
            if number == self.most_types:
                return number - 1
            name, module, address, family, flags = OTHERS, OTHERS, 0, 0, 0
        self.types.add(self.string(name), self.string(module), address, family, flags)
        return number

    def name(self, address: int, name: str, *, place: str = "", line: int = NONE) -> None:
        """The name of an object."""
        self.names.add(address, self.string(name), self.string(place) if place else NONE, _line(line))

    def root(self, address: int, kind: int, name: str, *, place: str = "", line: int = NONE, thread: str = "") -> None:
        """One root."""
        place_number = self.string(place) if place else NONE
        thread_number = self.string(thread) if thread else NONE
        self.roots.add(address, kind, self.string(name), place_number, _line(line), thread_number)

    def end(self, *, complete: bool, seconds: float, note: str = "") -> None:
        """Last of all."""
        for table in (self.types, self.objects, self.edges, self.names, self.roots):
            table.flush()
        self._give_strings()
        counts = {
            "strings": len(self._strings),
            "types": self.types.count,
            "objects": self.objects.count,
            "edges": self.edges.count,
            "names": self.names.count,
            "roots": self.roots.count,
        }
        fields = {**counts, "complete": complete and self.whole, "seconds": round(seconds, 2), "note": note}
        self._emit(Section.END, json.dumps(fields).encode())

    def after_strings(self, section: Section, content: bytes) -> None:
        """Give a section away that refers to strings."""
        self._give_strings()
        self._emit(section, content)

    def after_types(self, section: Section, content: bytes) -> None:
        """Give a section away that refers to types."""
        self.types.flush()
        self._emit(section, content)

    def _give_strings(self) -> None:
        if self._new:
            lengths = array("I", map(len, self._new))
            content = b"".join([COUNT.pack(len(self._new)), column(lengths), *self._new])
            self._new, self._new_bytes = [], 0
            self._emit(Section.STRINGS, content)


def _line(number: int) -> int:
    """As a file has it: code can have negative ones."""
    return number if 0 <= number < NONE else NONE


class Packer:
    """Packs sections: ``write`` takes the bytes of the file in order. ``pack`` is :func:`packed` or does the same."""

    def __init__(
        self, write: Callable[[bytes], object], pack: Callable[[Section, bytes], tuple[bytes, bytes]] = packed
    ) -> None:
        self._write = write
        self._pack = pack
        self._checksum = 0
        self.bytes = len(MAGIC)
        write(MAGIC)

    def __call__(self, section: Section, content: bytes) -> None:
        """The next section; the last gets the checksum of those before."""
        if section is Section.END:
            content = json.dumps({**json.loads(content), "checksum": self._checksum}).encode()
        frame, small = self._pack(section, content)
        self._checksum = zlib.crc32(frame, self._checksum)
        self.bytes += len(frame) + len(small)
        self._write(frame + small)
