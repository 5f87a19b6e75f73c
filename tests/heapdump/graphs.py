"""Small heaps for tests, and what is right to say of them, computed the slow way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from memwatch.heapdump.analysis.graph import NO_NAME, HeapGraph, Label, Objects, References, Root, Type
from memwatch.heapdump.format import NONE, Edge, Family, Flag
from memwatch.heapdump.format import Root as RootKind
from memwatch.heapdump.writer import Packer, Rows


class Heap:
    """Objects by name, added one after the other."""

    def __init__(self) -> None:
        self.types: list[Type] = []
        self.names: dict[str, int] = {}
        self.labels: dict[int, Label] = {}
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._edges: list[tuple[int, int, int, int]] = []
        self._roots: list[Root] = []
        self._texts: dict[str, int] = {}

    def type(self, name: str, family: Family = Family.OTHER) -> int:
        for number, each in enumerate(self.types):
            if each.name == name:
                return number
        self.types.append(Type(name=name, module=name.rpartition(".")[0] or "builtins", family=family))
        return len(self.types) - 1

    def add(
        self,
        type_name: str,
        size: int = 100,
        *,
        name: str = "",
        family: Family = Family.OTHER,
        length: int = 0xFFFFFFFF,
        hash_: int = 0,
        references: int = 0xFFFFFFFF,
    ) -> int:
        self._rows.append((self.type(type_name, family), size, length, hash_, references))
        if name:
            self.names[name] = len(self._rows) - 1
        return len(self._rows) - 1

    def refer(self, source: int, target: int, kind: Edge = Edge.OTHER, name: str = "") -> None:
        text = self._texts.setdefault(name, len(self._texts)) if name else NO_NAME
        self._edges.append((source, target, kind, text))

    def root(self, target: int, kind: RootKind, name: str, **more: object) -> None:
        self._roots.append(Root(target=target, kind=kind, name=name, **more))

    def module(self, name: str, file: str = "") -> int:
        """A module and its namespace; gives the namespace."""
        module = self.add("module", 72, family=Family.MODULE)
        namespace = self.add("dict", 232, family=Family.DICT)
        self.refer(module, namespace, Edge.DICT)
        self.labels[module] = Label(name, file, 1)
        self.root(namespace, RootKind.MODULE, name, file=file)
        return namespace

    def write(self, path: Path, *, complete: bool = True, **header: object) -> Path:
        """As the file of a dump."""
        with path.open("wb") as file:
            rows = Rows(Packer(file.write))
            rows.header(**header)
            for number, each in enumerate(self.types):
                module, _, qualname = each.name.rpartition(".")
                of = address(each.node) if each.node >= 0 else 0
                assert number == rows.type(qualname, module or "builtins", of, each.family, each.flags)
            texts = list(self._texts)
            for node, (type_, size, length, hash_, references) in enumerate(self._rows):
                edges = [edge for edge in self._edges if edge[0] == node]
                rows.objects.add(address(node), type_, size, Flag.TRACKED, length, hash_, references, len(edges))
                for _source, target, kind, text in edges:
                    name = rows.string(texts[text]) if text != NO_NAME else NONE
                    rows.edges.add(address(target), kind, name)
            for node, label in self.labels.items():
                rows.name(address(node), label.name, place=label.file, line=label.line)
            for root in self._roots:
                rows.root(address(root.target), root.kind, root.name, place=root.file, line=root.line)
            rows.end(complete=complete, seconds=0.1)
        return path

    def graph(self) -> HeapGraph:
        rows = np.array(self._rows, np.int64).reshape(-1, 5)
        edges = np.array(self._edges, np.int64).reshape(-1, 4)
        return HeapGraph(
            types=self.types,
            objects=Objects(
                types=rows[:, 0],
                sizes=rows[:, 1],
                lengths=rows[:, 2],
                hashes=rows[:, 3],
                references=rows[:, 4],
                addresses=address(np.arange(len(rows))),
            ),
            references=References(sources=edges[:, 0], targets=edges[:, 1], kinds=edges[:, 2], names=edges[:, 3]),
            roots=self._roots,
            texts=list(self._texts),
            labels=self.labels,
        )


def address(node):
    """Where the object is in memory."""
    return 0x7F12_3456_0000 + 16 * node


def plain_graph(
    count: int,
    edges: Iterable[tuple[int, int]],
    roots: Sequence[int],
    sizes: Sequence[int] | None = None,
    weak: Iterable[tuple[int, int]] = (),
) -> HeapGraph:
    """Objects of one type without names."""
    heap = Heap()
    for node in range(count):
        heap.add("shop.Thing", sizes[node] if sizes else 1)
    for source, target in edges:
        heap.refer(source, target)
    for source, target in weak:
        heap.refer(source, target, Edge.WEAK)
    for root in roots:
        heap.root(root, RootKind.INTERPRETER, "test")
    return heap.graph()


def reached(count: int, edges: Iterable[tuple[int, int]], roots: Iterable[int], without: int | None = None) -> set[int]:
    """What is reached from the roots if one node did not exist."""
    heads: dict[int, list[int]] = {}
    for source, target in edges:
        heads.setdefault(source, []).append(target)
    seen = set(roots) - {without}
    waiting = list(seen)
    while waiting:
        for head in heads.get(waiting.pop(), ()):
            if head not in seen and head != without:
                seen.add(head)
                waiting.append(head)
    return seen


def dies_with(count: int, edges: Sequence[tuple[int, int]], roots: Sequence[int], node: int) -> set[int]:
    """What is not reached any more without this node, itself included; empty where no root reaches it."""
    before = reached(count, edges, roots)
    return before - reached(count, edges, roots, without=node) if node in before else set()
