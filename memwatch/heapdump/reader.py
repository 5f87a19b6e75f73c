"""Reading the file of a heap dump, section by section.

The file is hostile input: whatever is wrong with it raises :class:`HeapDumpError`.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from array import array
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from memwatch.heapdump.format import (
    FRAME,
    MAGIC,
    MAX_EDGES,
    MAX_OBJECTS,
    MAX_PACKED,
    MAX_SECTION,
    MAX_SIZE,
    MAX_STRING,
    MAX_STRINGS,
    MAX_TYPES,
    VERSION,
    Columns,
    Edge,
    Family,
    HeapDumpError,
    Root,
    Section,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """What the dump is of. Fields as in the file; unknown ones are kept in ``fields`` alone."""

    fields: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Strings:
    """The next strings."""

    texts: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Types:
    """The next types."""

    names: array[int]
    modules: array[int]
    addresses: array[int]
    families: array[int]
    flags: array[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Objects:
    """The next objects."""

    addresses: array[int]
    types: array[int]
    sizes: array[int]
    flags: array[int]
    lengths: array[int]
    hashes: array[int]
    references: array[int]
    edges: array[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Edges:
    """The next edges."""

    targets: array[int]
    kinds: array[int]
    names: array[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """The next names of objects."""

    addresses: array[int]
    names: array[int]
    places: array[int]
    lines: array[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Roots:
    """The next roots."""

    addresses: array[int]
    kinds: array[int]
    names: array[int]
    places: array[int]
    lines: array[int]
    threads: array[int]


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How it ended."""

    complete: bool
    seconds: float
    note: str
    counts: dict[str, int]


Part = Header | Strings | Types | Objects | Edges | Names | Roots | End
_LONGEST_NUMBER = len(str(-(2**63)))
_NAMES = {section.value: section for section in Section}


def read(file: BinaryIO) -> Iterator[Part]:
    """The parts of a dump, the header first and the end last. Raises :class:`HeapDumpError` where one is wrong."""
    return _Reader(file).parts()


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._counts = {"strings": 0, "types": 0, "objects": 0, "edges": 0, "names": 0, "roots": 0}
        self._wanted_edges = 0
        self._checksum = 0

    def parts(self) -> Iterator[Part]:
        if self._take(len(MAGIC), "start") != MAGIC:
            raise HeapDumpError("start: this is no heap dump of memwatch's")
        first = True
        while True:
            before = self._checksum
            section, content = self._section()
            if first is not (section is Section.HEADER):
                raise HeapDumpError("header: it is not the first section" if first else "header: there are two")
            first = False
            if section is Section.END:
                yield self._end(content, before)
                if self._file.read(1):
                    raise HeapDumpError("end: something follows it")
                return
            yield _PARTS[section](self, content)

    def _take(self, length: int, name: str) -> bytes:
        found = self._file.read(length)
        if len(found) != length:
            raise HeapDumpError(f"{name}: the file is cut off")
        return found

    def _section(self) -> tuple[Section, bytes]:
        frame = self._take(FRAME.size, "section")
        letter, small, length, crc = FRAME.unpack(frame)
        section = _NAMES.get(letter)
        if section is None:
            raise HeapDumpError(f"section: {letter!r} is not known")
        name = section.name.lower()
        if small > MAX_PACKED or length > MAX_SECTION:
            raise HeapDumpError(f"{name}: it is larger than {MAX_SECTION} bytes")
        self._checksum = zlib.crc32(frame, self._checksum)
        unpacker = zlib.decompressobj()
        try:
            content = unpacker.decompress(self._take(small, name), length + 1)
        except zlib.error:
            raise HeapDumpError(f"{name}: it cannot be unpacked") from None
        if len(content) != length or not unpacker.eof or unpacker.unused_data or zlib.crc32(content) != crc:
            raise HeapDumpError(f"{name}: its length or its checksum is wrong")
        return section, content

    def _count(self, name: str, rows: int, limit: int) -> None:
        self._counts[name] += rows
        if self._counts[name] > limit:
            raise HeapDumpError(f"{name}: there are more than {limit:,}")

    def _header(self, content: bytes) -> Header:
        fields = _json("header", content)
        if fields.get("format") != VERSION:
            raise HeapDumpError(f"header: only version {VERSION} of the format can be read")
        return Header(fields)

    def _strings(self, content: bytes) -> Strings:
        columns = Columns("strings", content)
        self._count("strings", columns.rows, MAX_STRINGS)
        lengths = columns.take("I")
        columns.below("length", lengths, MAX_STRING + 1)
        texts = [columns.rest(length).decode("utf-8", "replace") for length in lengths]
        columns.end()
        return Strings(texts)

    def _types(self, content: bytes) -> Types:
        columns = Columns("types", content)
        self._count("types", columns.rows, MAX_TYPES)
        types = Types(*map(columns.take, "IIqBB"))
        columns.below("name", types.names, self._counts["strings"])
        columns.below("module", types.modules, self._counts["strings"])
        columns.below("family", types.families, len(Family))
        columns.end()
        return types

    def _objects(self, content: bytes) -> Objects:
        columns = Columns("objects", content)
        self._count("objects", columns.rows, MAX_OBJECTS)
        objects = Objects(*map(columns.take, "qIQBIQII"))
        columns.below("type", objects.types, self._counts["types"])
        columns.below("size", objects.sizes, 2 * MAX_SIZE)
        self._wanted_edges += sum(objects.edges)
        if self._wanted_edges > MAX_EDGES:
            raise HeapDumpError(f"objects: they have more than {MAX_EDGES:,} edges")
        columns.end()
        return objects

    def _edges(self, content: bytes) -> Edges:
        columns = Columns("edges", content)
        self._count("edges", columns.rows, MAX_EDGES)
        edges = Edges(*map(columns.take, "qBI"))
        columns.below("kind", edges.kinds, len(Edge))
        columns.below("name", edges.names, self._counts["strings"], none=True)
        columns.end()
        return edges

    def _names(self, content: bytes) -> Names:
        columns = Columns("names", content)
        self._count("names", columns.rows, MAX_OBJECTS)
        names = Names(*map(columns.take, "qIII"))
        columns.below("name", names.names, self._counts["strings"])
        columns.below("place", names.places, self._counts["strings"], none=True)
        columns.end()
        return names

    def _roots(self, content: bytes) -> Roots:
        columns = Columns("roots", content)
        self._count("roots", columns.rows, MAX_OBJECTS)
        roots = Roots(*map(columns.take, "qBIIII"))
        columns.below("kind", roots.kinds, len(Root))
        for name, values in (("name", roots.names), ("place", roots.places), ("thread", roots.threads)):
            columns.below(name, values, self._counts["strings"], none=True)
        columns.end()
        return roots

    def _end(self, content: bytes, checksum: int) -> End:
        fields = _json("end", content)
        if self._wanted_edges != self._counts["edges"]:
            raise HeapDumpError(f"edges: {self._counts['edges']:,} for objects that have {self._wanted_edges:,}")
        for name, found in self._counts.items():
            if fields.get(name) != found:
                raise HeapDumpError(f"end: it names another number of {name} than the {found:,} of the file")
        if fields.get("checksum") != checksum:
            raise HeapDumpError("end: the checksum of the file is wrong")
        seconds, note = fields.get("seconds"), fields.get("note")
        return End(
            complete=fields.get("complete") is True,
            seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
            note=note[:MAX_STRING] if isinstance(note, str) else "",
            counts=dict(self._counts),
        )


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError
    return int(text)


def _json(name: str, content: bytes) -> dict[str, Any]:
    """What any other reader of JSON takes too: no number beyond 64 bits, no half of a character."""
    try:
        fields = json.loads(content, parse_int=_whole) if len(content) <= 1 << 16 else None
        json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise HeapDumpError(f"{name}: it is not a JSON object")
    return fields


_PARTS: dict[Section, Callable[[_Reader, bytes], Part]] = {
    Section.HEADER: _Reader._header,
    Section.STRINGS: _Reader._strings,
    Section.TYPES: _Reader._types,
    Section.OBJECTS: _Reader._objects,
    Section.EDGES: _Reader._edges,
    Section.NAMES: _Reader._names,
    Section.ROOTS: _Reader._roots,
}
