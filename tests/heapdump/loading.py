"""A dump as plain dicts, for tests."""

from __future__ import annotations

import dataclasses
from itertools import islice
from pathlib import Path
from typing import Any

from memwatch.heapdump import reader
from memwatch.heapdump.format import NONE, Edge


@dataclasses.dataclass
class Row:
    """An object."""

    type: str
    size: int
    flags: int
    length: int
    hash: int
    references: int
    edges: list[tuple[int, Edge, str]]


@dataclasses.dataclass
class Loaded:
    """A whole dump."""

    header: dict[str, Any]
    objects: dict[int, Row]
    names: dict[int, str]
    roots: list[tuple[int, int, str, str, int, str]]
    strings: list[str]
    end: reader.End

    def to(self, address: int, kind: Edge, name: str = "") -> list[int]:
        """What an object refers to in this way."""
        return [edge[0] for edge in self.objects[address].edges if edge[1:] == (kind, name)]

    def holders(self, target: int) -> list[tuple[int, Edge, str]]:
        """Who refers to it, and how."""
        return [
            (address, *edge[1:]) for address, row in self.objects.items() for edge in row.edges if edge[0] == target
        ]


def load(path: Path) -> Loaded:
    """Read it; an address that comes twice fails the test."""
    with path.open("rb") as file:
        parts = list(reader.read(file))
    strings = [text for part in parts if isinstance(part, reader.Strings) for text in part.texts]

    def text(number: int) -> str:
        return "" if number == NONE else strings[number]

    types = [
        f"{text(module)}.{text(name)}".removeprefix("builtins.")
        for part in parts
        if isinstance(part, reader.Types)
        for name, module in zip(part.names, part.modules, strict=True)
    ]
    edges = (
        (target, Edge(kind), text(name))
        for part in parts
        if isinstance(part, reader.Edges)
        for target, kind, name in zip(part.targets, part.kinds, part.names, strict=True)
    )
    objects: dict[int, Row] = {}
    for part in parts:
        if isinstance(part, reader.Objects):
            columns = (part.addresses, part.types, part.sizes, part.flags, part.lengths, part.hashes)
            for address, of, size, flags, length, hashed, references, count in zip(
                *columns, part.references, part.edges, strict=True
            ):
                row = Row(types[of], size, flags, length, hashed, references, list(islice(edges, count)))
                objects.setdefault(
                    address, row
                )  # as the format says: the copy's own may end, and others take their place
    names = {
        address: text(name)
        for part in parts
        if isinstance(part, reader.Names)
        for address, name in zip(part.addresses, part.names, strict=True)
    }
    roots = [
        (address, kind, text(name), text(place), line, text(thread))
        for part in parts
        if isinstance(part, reader.Roots)
        for address, kind, name, place, line, thread in zip(
            *(part.addresses, part.kinds, part.names, part.places, part.lines, part.threads), strict=True
        )
    ]
    assert isinstance(parts[0], reader.Header)
    assert isinstance(parts[-1], reader.End)
    return Loaded(parts[0].fields, objects, names, roots, strings, parts[-1])
