"""From the file of a dump to a graph."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from memwatch.heapdump import reader
from memwatch.heapdump.analysis.graph import (
    C_CODE,
    CLASS_EDGE,
    MOST_BYTES,
    NO_NAME,
    UNKNOWN,
    HeapGraph,
    Int32,
    Ints,
    Label,
    Objects,
    References,
    Root,
    Type,
)
from memwatch.heapdump.analysis.reaching import reached_from
from memwatch.heapdump.format import NONE, Family, HeapDumpError, TypeFlag
from memwatch.heapdump.format import Root as RootKind


def load(path: Path | str) -> HeapGraph:
    """The heap in a file. Raises :class:`HeapDumpError` if it is none, ``OSError`` if it cannot be read."""
    with Path(path).open("rb") as file:
        return load_file(file)


def load_file(file: BinaryIO) -> HeapGraph:
    """The heap in an open file; objects that only C code holds are among its roots."""
    graph = _Loader(file).graph()
    graph.add_roots(_held_by_c_code(graph))
    return graph


class _Loader:
    """Gathers the parts; arrays of Python's grow in place and are then looked at by numpy without a copy."""

    def __init__(self, file: BinaryIO) -> None:
        self._texts: list[str] = []
        self._types: list[tuple[int, int, int, int, int]] = []
        self._objects: dict[str, array[int]] = {}
        self._edges: dict[str, array[int]] = {}
        self._roots: list[tuple[int, int, int, int, int, int]] = []
        self._names: list[tuple[int, int, int, int]] = []
        self._about: dict[str, Any] = {}
        for part in reader.read(file):
            self._take(part)

    def _take(self, part: reader.Part) -> None:
        match part:
            case reader.Header():
                self._about.update(part.fields)
            case reader.Strings():
                self._texts += part.texts
            case reader.Types():
                self._types += zip(part.names, part.modules, part.addresses, part.families, part.flags, strict=True)
            case reader.Objects():
                _extend(self._objects, part)
            case reader.Edges():
                _extend(self._edges, part)
            case reader.Names():
                self._names += zip(part.addresses, part.names, part.places, part.lines, strict=True)
            case reader.Roots():
                self._roots += zip(
                    part.addresses, part.kinds, part.names, part.places, part.lines, part.threads, strict=True
                )
            case reader.End():
                self._about |= {"complete": part.complete, "note": part.note, "dump_seconds": part.seconds}

    def graph(self) -> HeapGraph:
        """All of it; edges to what is not in the file are left out."""
        columns = {name: np.frombuffer(values, values.typecode) for name, values in self._objects.items()}
        if not columns:
            raise HeapDumpError("objects: there are none")
        addresses = columns["addresses"]
        index = _Index(addresses)
        types = self._named_types(index)
        references = self._references(index, columns, types)
        objects = Objects(
            types=columns["types"],
            sizes=columns["sizes"],
            lengths=columns["lengths"],
            hashes=columns["hashes"],
            references=columns["references"],
            addresses=addresses,
            flags=columns["flags"],
        )
        if float(columns["sizes"].sum(dtype=np.float64)) > MOST_BYTES:
            raise HeapDumpError("objects: their sizes are more than any memory")
        return HeapGraph(
            types=types,
            objects=objects,
            references=references,
            roots=self._named_roots(index),
            texts=self._texts,
            labels=self._labels(index),
            about=self._about,
        )

    def _text(self, number: int) -> str:
        return "" if number == NONE else self._texts[number]

    def _named_types(self, index: _Index) -> list[Type]:
        nodes = index.nodes(np.array([row[2] for row in self._types], np.uint64))
        found = []
        for (name, module, _address, family, flags), node in zip(self._types, nodes.tolist(), strict=True):
            of = self._text(module)
            full = self._text(name) if of in ("", "builtins") else f"{of}.{self._text(name)}"
            found.append(Type(name=full, module=of, family=Family(family), flags=flags, node=node))
        return found

    def _references(self, index: _Index, columns: dict[str, Any], types: list[Type]) -> References:
        count = len(columns["types"])
        sources = np.repeat(np.arange(count, dtype=np.int32), columns["edges"])
        edges = {name: np.frombuffer(values, values.typecode) for name, values in self._edges.items()}
        if not edges:
            edges = {"targets": np.empty(0, np.uint64), "kinds": np.empty(0, np.uint8), "names": np.empty(0, np.uint32)}
        targets = index.nodes(edges["targets"])
        names = edges["names"].view(np.int32)  # NONE is -1
        known = targets >= 0
        class_of = np.array([each.node if each.flags & TypeFlag.HEAP else -1 for each in types] or [-1], np.int32)
        classes = class_of[columns["types"]] if types else np.full(count, -1, np.int32)
        instances = np.flatnonzero(classes >= 0).astype(np.int32)
        more = len(instances)
        return References(
            sources=np.concatenate([sources[known], instances]),
            targets=np.concatenate([targets[known], classes[instances]]),
            kinds=np.concatenate([edges["kinds"][known], np.full(more, CLASS_EDGE, np.uint8)]),
            names=np.concatenate([names[known], np.full(more, NO_NAME, np.int32)]),
        )

    def _labels(self, index: _Index) -> dict[int, Label]:
        nodes = index.nodes(np.array([row[0] for row in self._names], np.uint64)).tolist()
        return {
            node: Label(self._text(name), self._text(place), 0 if line == NONE else line)
            for (_address, name, place, line), node in zip(self._names, nodes, strict=True)
            if node >= 0
        }

    def _named_roots(self, index: _Index) -> list[Root]:
        nodes = index.nodes(np.array([row[0] for row in self._roots], np.uint64)).tolist()
        return [
            Root(
                target=node,
                kind=RootKind(kind),
                name=self._text(name),
                file=self._text(place),
                line=0 if line == NONE else line,
                thread=self._text(thread),
            )
            for (_address, kind, name, place, line, thread), node in zip(self._roots, nodes, strict=True)
            if node >= 0
        ]


class _Index:
    """Objects by their addresses; the first counts where there are two."""

    def __init__(self, addresses: Ints) -> None:
        order = np.argsort(addresses, kind="stable")
        ordered = addresses[order]
        first = np.append(True, ordered[1:] != ordered[:-1])
        self._order = order[first].astype(np.int32)
        self._addresses = ordered[first]

    def nodes(self, addresses: Ints) -> Int32:
        """The object at each address; -1 where there is none."""
        at = np.searchsorted(self._addresses, addresses)
        at[at == len(self._addresses)] = 0
        return np.where(self._addresses[at] == addresses, self._order[at], np.int32(-1)).astype(np.int32)


def _extend(columns: dict[str, array[int]], part: reader.Objects | reader.Edges) -> None:
    for name in type(part).__slots__:
        values = getattr(part, name)
        if name in columns:
            columns[name].extend(values)
        else:
            columns[name] = values


def _held_by_c_code(graph: HeapGraph) -> list[Root]:
    """Roots for what no root reaches and has more references than edges lead to it, or an unknown number."""
    unreached = ~reached_from(graph, [graph.top])
    unreached[graph.top] = False
    strong = graph.targets[graph.strong()]
    edges = np.bincount(strong, minlength=graph.nodes)
    counts = graph.reference_counts
    held = unreached & ((counts == UNKNOWN) | (counts > edges))
    return [Root(target=node, kind=RootKind.INTERPRETER, name=C_CODE) for node in np.flatnonzero(held).tolist()]
