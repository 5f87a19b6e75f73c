"""A heap as arrays: objects, the references between them, and the roots that keep them alive."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from memwatch.heapdump import words
from memwatch.heapdump.format import Edge, Family, HeapDumpError
from memwatch.heapdump.format import Root as RootKind

Ints = npt.NDArray[np.integer[Any]]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

MOST_NODES = 2**31 - 2
MOST_BYTES = 2**60
NO_NAME = -1
CLASS_EDGE, ROOT_EDGE = 13, 14
"""An object's class, and what a root refers to: not in the file, follow the numbers of ``Edge``."""
UNKNOWN = 0xFFFF_FFFF
"""Of lengths and reference counts."""
C_CODE = "C code"
"""The name of roots for objects that have more references than the dump has edges to them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Type:
    """A type of objects."""

    name: str
    """``module.QualName``, ``dict`` for ``builtins.dict``."""
    module: str = "builtins"
    family: Family = Family.OTHER
    flags: int = 0
    """``TypeFlag``."""
    node: int = -1
    """The class among the objects; -1 where it is not one of them."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Root:
    """Why an object is alive although no other object needs to refer to it."""

    target: int
    kind: RootKind
    name: str
    """Of the module, of the frame's function, of the class, or what it is."""
    file: str = ""
    line: int = 0
    thread: str = ""

    @property
    def label(self) -> str:
        """As :func:`words.root`."""
        return words.root(self.kind, self.name, self.thread)


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """What the program calls a module, class, function or frame, and where its code is."""

    name: str
    file: str = ""
    line: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Objects:
    """One item for each object; ``None`` where nothing is known of any."""

    types: Ints
    """Index into the types."""
    sizes: Ints
    """Bytes, without what it refers to."""
    lengths: Ints | None = None
    """Items of a container, characters of a text."""
    hashes: Ints | None = None
    """Of the contents of a text; 0: not known."""
    references: Ints | None = None
    """The reference count."""
    addresses: Ints | None = None
    flags: Ints | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """One item for each reference, in any order."""

    sources: Ints
    targets: Ints
    kinds: Ints
    names: Ints
    """Index into the texts, or ``NO_NAME``."""


class HeapGraph:
    """Nodes 0 … ``objects`` - 1 are the objects; the node :attr:`top` refers to what the roots refer to.

    The references of node ``n`` are ``offsets[n]:offsets[n + 1]`` of :attr:`targets`, :attr:`kinds` and :attr:`names`.
    """

    def __init__(
        self,
        *,
        types: Sequence[Type],
        objects: Objects,
        references: References,
        roots: Sequence[Root] = (),
        texts: Sequence[str] = (),
        labels: Mapping[int, Label] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.objects = self.top = len(objects.types)
        """The number of objects."""
        self.nodes = self.objects + 1
        self.type_list = [*types, Type(name="(roots)")]
        self.texts = list(texts)
        self.labels = dict(labels or {})
        """Of those objects that have a name."""
        self.about = dict(about or {})
        """Process, time and Python, as the dump has them."""
        _check(self, objects, references, roots)
        self.roots: dict[int, Root] = {}
        for root in roots:
            self.roots.setdefault(root.target, root)
        self.types: Int32 = np.append(objects.types, len(types)).astype(np.int32)
        self.sizes: Int64 = np.append(objects.sizes, 0).astype(np.int64)
        self.lengths = _column(objects.lengths, self.objects, UNKNOWN, np.uint32)
        self.hashes = _column(objects.hashes, self.objects, 0, np.uint64)
        self.reference_counts = _column(objects.references, self.objects, UNKNOWN, np.uint32)
        self.addresses = _column(objects.addresses, self.objects, 0, np.uint64)
        self.flags = _column(objects.flags, self.objects, 0, np.uint8)
        self._connect(references)

    def _connect(self, references: References) -> None:
        held = np.fromiter(self.roots, np.int32, len(self.roots))
        sources = np.concatenate([references.sources.astype(np.int32), np.full(len(held), self.top, np.int32)])
        order = np.argsort(sources, kind="stable")
        self.offsets = offsets_of(sources, self.nodes)
        self.targets = np.concatenate([references.targets.astype(np.int32), held])[order]
        self.kinds = np.concatenate([references.kinds.astype(np.uint8), np.full(len(held), ROOT_EDGE, np.uint8)])[order]
        self.names = np.concatenate([references.names.astype(np.int32), np.full(len(held), NO_NAME, np.int32)])[order]

    def add_roots(self, roots: Sequence[Root]) -> None:
        """More roots, for objects that have none: the top is the last node, so its references are the last."""
        new = [root for root in roots if root.target not in self.roots]
        self.roots.update((root.target, root) for root in new)
        held = np.array([root.target for root in new], np.int32)
        self.targets = np.concatenate([self.targets, held])
        self.kinds = np.concatenate([self.kinds, np.full(len(held), ROOT_EDGE, np.uint8)])
        self.names = np.concatenate([self.names, np.full(len(held), NO_NAME, np.int32)])
        self.offsets[-1] += len(held)

    @property
    def references(self) -> int:
        """How many there are."""
        return len(self.targets) - len(self.roots)

    def sources(self) -> Int32:
        """The source of each reference."""
        return np.repeat(np.arange(self.nodes, dtype=np.int32), np.diff(self.offsets))

    def strong(self) -> Mask:
        """Which references keep their target alive."""
        found: Mask = self.kinds != Edge.WEAK
        return found

    def type_of(self, node: int) -> Type:
        """Of an object."""
        return self.type_list[int(self.types[node])]

    def labelled(self, node: int) -> Label | None:
        """The name of an object, from the table of names or because it is a root."""
        label = self.labels.get(node)
        root = self.roots.get(node)
        if label is None and root is not None and root.name != C_CODE:
            return Label(root.label, root.file, root.line)
        return label

    def files(self) -> dict[str, str]:
        """The file of each module that is known."""
        found = {root.name: root.file for root in self.roots.values() if root.kind is RootKind.MODULE and root.file}
        modules = self.of_family(Family.MODULE).tolist()
        named = [label for label in map(self.labels.get, modules) if label is not None and label.file]
        return {**{label.name: label.file for label in named}, **found}

    def of_types(self, wanted: Sequence[int]) -> Int32:
        """The objects of these types, by their numbers."""
        chosen = np.zeros(len(self.type_list), np.bool_)
        chosen[list(wanted)] = True
        return np.flatnonzero(chosen[self.types]).astype(np.int32)

    def types_named(self, name: str) -> list[int]:
        """The numbers of the types that have this name; two classes may have the same."""
        return [number for number, each in enumerate(self.type_list[:-1]) if each.name == name]

    def of_family(self, *families: Family) -> Int32:
        """The objects of these families."""
        return self.of_types([number for number, each in enumerate(self.type_list[:-1]) if each.family in families])

    def name_of(self, reference: int) -> str:
        """The name of a reference; empty where it has none."""
        name = int(self.names[reference])
        return self.texts[name] if name != NO_NAME else ""


def _column(values: Ints | None, objects: int, default: int, of: Any) -> Any:
    if values is None:
        return np.full(objects + 1, default, of)
    return np.append(values.astype(of, copy=False), np.array([default], of))


def offsets_of(sources: Ints, nodes: int) -> Int64:
    """Where the references of each node begin, once they are in the order of their sources."""
    offsets = np.zeros(nodes + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=nodes), out=offsets[1:])
    return offsets


def _check(graph: HeapGraph, objects: Objects, references: References, roots: Sequence[Root]) -> None:
    """A dump is input: nothing in it may lead outside the arrays."""
    count = graph.objects
    if count > MOST_NODES:
        raise HeapDumpError(f"objects: {count:,} are more than {MOST_NODES:,}")
    for field in dataclasses.fields(Objects):
        values = getattr(objects, field.name)
        if values is not None and len(values) != count:
            raise HeapDumpError(f"objects: {field.name} for {len(values):,} of {count:,}")
    _bounded("types of objects", objects.types, 0, len(graph.type_list) - 1)
    if count and (objects.sizes.min() < 0 or objects.sizes.sum(dtype=np.float64) > MOST_BYTES):
        raise HeapDumpError("objects: their sizes are below 0, or more than any memory")
    for field in dataclasses.fields(References):
        if len(getattr(references, field.name)) != len(references.sources):
            raise HeapDumpError(f"edges: {field.name} do not fit {len(references.sources):,} sources")
    _bounded("sources of edges", references.sources, 0, count)
    _bounded("targets of edges", references.targets, 0, count)
    _bounded("kinds of edges", references.kinds, 0, ROOT_EDGE)
    _bounded("names of edges", references.names, NO_NAME, len(graph.texts))
    _bounded("targets of roots", np.array([root.target for root in roots], np.int64), 0, count)


def _bounded(name: str, values: Ints, least: int, limit: int) -> None:
    if len(values) and (values.min() < least or values.max() >= limit):
        raise HeapDumpError(f"{name}: {values.min()} … {values.max()} is not between {least} and {limit - 1}")
