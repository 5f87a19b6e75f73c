"""Sizes and retained sizes of objects added up: by type, by module, by package and by root."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from memwatch.heapdump.analysis.dominators import NOWHERE, DominatorTree
from memwatch.heapdump.analysis.graph import HeapGraph, Int32, Ints, Mask
from memwatch.heapdump.analysis.reaching import reached_from

MOST = 200
"""Rows of a table, the largest first."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """One row. Bytes."""

    name: str
    count: int
    size: int
    """Of the objects themselves."""
    retained: int
    """What dies with single objects of the group, each byte counted once."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dataclasses.asdict(self)


def by_type(graph: HeapGraph, tree: DominatorTree) -> list[Total]:
    """All types, those that retain most first. Types of one name are one row."""
    return _totals(graph, tree, [each.name for each in graph.type_list])


def by_module(graph: HeapGraph, tree: DominatorTree) -> list[Total]:
    """By the module of the objects' types."""
    return _totals(graph, tree, [each.module or "builtins" for each in graph.type_list])


def by_package(graph: HeapGraph, tree: DominatorTree) -> list[Total]:
    """By the first part of the name of the module."""
    return _totals(graph, tree, [(each.module or "builtins").partition(".")[0] for each in graph.type_list])


def by_root(graph: HeapGraph, tree: DominatorTree) -> list[Total]:
    """What dies with each root alone; what two roots hold is in no row. Frames of a function are one row."""
    groups: dict[str, list[int]] = {}
    for node, root in graph.roots.items():
        groups.setdefault(root.label, []).append(node)
    found = [
        Total(
            name=label,
            count=len(nodes),
            size=int(graph.sizes[nodes].sum()),
            retained=int(tree.retained[outermost(tree, np.array(nodes, np.int32))].sum()),
        )
        for label, nodes in groups.items()
    ]
    return sorted(found, key=lambda total: (-total.retained, total.name))


def _totals(graph: HeapGraph, tree: DominatorTree, names: list[str]) -> list[Total]:
    numbers: dict[str, int] = {}
    group_of_type = np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int32)
    nodes = np.flatnonzero(tree.reached()[: graph.objects]).astype(np.int32)
    groups = group_of_type[graph.types[nodes]]
    count = np.bincount(groups, minlength=len(numbers))
    sizes = _sums(groups, graph.sizes[nodes], len(numbers))
    outer = outermost(tree, nodes, groups)
    retained = _sums(group_of_type[graph.types[outer]], tree.retained[outer], len(numbers))
    found = [
        Total(name=name, count=int(count[at]), size=int(sizes[at]), retained=int(retained[at]))
        for name, at in numbers.items()
        if count[at]
    ]
    return sorted(found, key=lambda total: (-total.retained, -total.size, total.name))


def _sums(groups: Ints, values: Ints, count: int) -> Ints:
    found = np.zeros(count, np.int64)
    np.add.at(found, groups, values)
    return found


def outermost(tree: DominatorTree, nodes: Int32, groups: Ints | None = None) -> Int32:
    """Those of the nodes that no other of them (of the same group) dominates: what they retain does not overlap."""
    nodes = nodes[tree.first[nodes] != NOWHERE] if groups is None else nodes
    if not len(nodes):
        return nodes
    span = len(tree.order) + 1
    base = np.zeros(len(nodes), np.int64) if groups is None else groups.astype(np.int64) * span
    order = np.argsort(base + tree.first[nodes], kind="stable")
    nodes, base = nodes[order], base[order]
    begins = base + tree.first[nodes]
    ends = begins + tree.retained_objects[nodes]
    before = np.concatenate([[-1], np.maximum.accumulate(ends)[:-1]])
    found: Int32 = nodes[begins >= before]
    return found


def freed_without(graph: HeapGraph, tree: DominatorTree, nodes: Ints) -> tuple[int, int]:
    """``(bytes, objects)`` that no root reaches any more if all of these nodes are gone, they themselves included."""
    without: Mask = np.zeros(graph.nodes, np.bool_)
    without[nodes] = True
    lost = tree.reached() & ~reached_from(graph, [graph.top], without=without)
    return int(graph.sizes[lost].sum()), int(np.count_nonzero(lost))
