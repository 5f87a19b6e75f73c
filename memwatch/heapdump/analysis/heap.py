"""A heap to ask questions of. Each answer is plain JSON; what it needs is computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from memwatch.heapdump.analysis import containers, duplicates, held, totals
from memwatch.heapdump.analysis.dominators import DominatorTree, dominator_tree
from memwatch.heapdump.analysis.graph import HeapGraph, Int32
from memwatch.heapdump.analysis.labels import node_label
from memwatch.heapdump.analysis.loading import load
from memwatch.heapdump.analysis.paths import MOST_GROUPS, PathGroup, Paths
from memwatch.heapdump.analysis.reaching import ShortestPaths, shortest_paths
from memwatch.heapdump.format import HeapDumpError

READ = 25
"""Percent of the time of an analysis, about."""
MOST_CHILDREN = 50
MOST_GROUPED = 8
"""Types of the objects that are not listed."""


class Heap:
    """The graph of a dump with its dominators and paths."""

    def __init__(self, graph: HeapGraph) -> None:
        self.graph = graph

    @classmethod
    def open(cls, path: Path | str, report: Callable[[int], object] = lambda _percent: None) -> Heap:
        """Of a file. Raises ``HeapDumpError`` if it is no dump, ``OSError`` if it cannot be read.

        ``report`` is called with percents of a whole analysis, which reading begins.
        """
        report(1)
        heap = cls(load(path))
        report(READ)
        return heap

    @cached_property
    def tree(self) -> DominatorTree:
        """The dominators."""
        return dominator_tree(self.graph)

    @cached_property
    def shortest(self) -> ShortestPaths:
        """The shortest paths from the roots."""
        return shortest_paths(self.graph)

    @cached_property
    def paths(self) -> Paths:
        """The paths by shape."""
        return Paths(self.graph, self.tree, self.shortest)

    def about(self) -> dict[str, Any]:
        """Of the process and of the dump."""
        graph = self.graph
        return {
            **graph.about,
            "objects": graph.objects,
            "references": graph.references,
            "roots": len(graph.roots),
            "bytes": int(graph.sizes.sum()),
            "reached_bytes": int(self.tree.retained[graph.top]),
            "reached_objects": int(self.tree.retained_objects[graph.top]) - 1,
        }

    @cached_property
    def type_totals(self) -> list[totals.Total]:
        """All types, those that retain most first."""
        return totals.by_type(self.graph, self.tree)

    def types(self, search: str = "", most: int = totals.MOST) -> list[dict[str, Any]]:
        """Types whose name contains the text."""
        text = search.lower()
        return [total.to_dict() for total in self.type_totals if text in total.name.lower()][:most]

    def modules(self, most: int = totals.MOST) -> list[dict[str, Any]]:
        """By module of the types."""
        return [total.to_dict() for total in totals.by_module(self.graph, self.tree)[:most]]

    def packages(self, most: int = totals.MOST) -> list[dict[str, Any]]:
        """By package of the types."""
        return [total.to_dict() for total in totals.by_package(self.graph, self.tree)[:most]]

    def roots(self, most: int = totals.MOST) -> list[dict[str, Any]]:
        """By root."""
        return [total.to_dict() for total in totals.by_root(self.graph, self.tree)[:most]]

    def node(self, node: int) -> dict[str, Any]:
        """One object, or all roots."""
        graph, tree = self.graph, self.tree
        is_named = node == graph.top or node in graph.labels
        place, own = ("", False) if is_named else self.paths.place_of(node)
        return {
            "node": node,
            "label": node_label(graph, node),
            "place": place,
            "type": graph.type_of(node).name,
            "address": int(graph.addresses[node]),
            "size": int(graph.sizes[node]),
            "retained": int(tree.retained[node]),
            "objects": int(tree.retained_objects[node]) - (node == graph.top),
            "own": own or (node != graph.top and self.paths.origins.own(node)),
        }

    def dominators(
        self, node: int | None = None, most: int = MOST_CHILDREN, listed: AbstractSet[int] | None = None
    ) -> dict[str, Any]:
        """An object (all roots where none is named) and what it dominates nearest, the largest first.

        Of these only the ``listed`` where they are given. ``more`` adds up the rest, ``groups`` has its main types.
        """
        at = self.graph.top if node is None else node
        if not 0 <= at < self.graph.nodes:
            raise HeapDumpError(f"node: {at} is not one of the {self.graph.nodes}")
        children = self.tree.children(at)
        first = children[:most].tolist()
        shown = [child for child in first if listed is None or child in listed]
        rest = np.concatenate([np.setdiff1d(first, shown).astype(np.int32), children[most:]])
        return {
            **self.node(at),
            "dominator": int(self.tree.dominators[at]) if self.tree.dominators[at] >= 0 else None,
            "children": [{**self.node(child), **self._below(child)} for child in shown],
            "more": {"count": len(rest), "retained": int(self.tree.retained[rest].sum())},
            "groups": self._by_type(rest),
        }

    def _by_type(self, nodes: Int32) -> list[dict[str, Any]]:
        types, which = np.unique(self.graph.types[nodes], return_inverse=True)
        count = np.bincount(which, minlength=len(types))
        objects, retained = np.zeros(len(types), np.int64), np.zeros(len(types), np.int64)
        np.add.at(objects, which, self.tree.retained_objects[nodes])
        np.add.at(retained, which, self.tree.retained[nodes])
        found = []
        for at in np.argsort(-retained, kind="stable")[:MOST_GROUPED].tolist():
            of = self.graph.type_list[int(types[at])]
            sums = {"count": int(count[at]), "objects": int(objects[at]), "retained": int(retained[at])}
            found.append({"type": of.name, "own": self.paths.origins.own_module(of.module), **sums})
        return found

    def _below(self, node: int) -> dict[str, Any]:
        return {"has_children": bool(self.tree.retained_objects[node] > 1)}

    def groups_of(self, type_name: str, most: int = MOST_GROUPS) -> list[PathGroup]:
        """The ways in which the objects of a type are kept alive."""
        return self.paths.groups(self.graph.of_types(self.graph.types_named(type_name)), most)

    def paths_of(self, type_name: str, most: int = MOST_GROUPS) -> dict[str, Any]:
        """What keeps the objects of a type alive, and what would be free without them."""
        nodes = self.graph.of_types(self.graph.types_named(type_name))
        if not len(nodes):
            raise HeapDumpError(f"type: there is no object of the type {type_name!r} in this dump")
        freed, objects = totals.freed_without(self.graph, self.tree, nodes)
        return {
            "type": type_name,
            "count": len(nodes),
            "size": int(self.graph.sizes[nodes].sum()),
            "own": any(
                self.paths.origins.own_module(each.module) for each in self.graph.type_list if each.name == type_name
            ),
            "freed": freed,
            "freed_objects": objects,
            "groups": [group.to_dict() for group in self.groups_of(type_name, most)],
        }

    def duplicates(self) -> dict[str, Any]:
        """Equal texts."""
        return duplicates.duplicates(self.graph, self.paths)

    def containers(self) -> dict[str, Any]:
        """Empty and over-allocated containers, and the cost of ``__dict__``."""
        return {**containers.containers(self.graph), "instance_dicts": containers.instance_dicts(self.graph)}

    def held(self) -> dict[str, Any]:
        """What only frames, tracebacks, closures, generators and caches hold, and garbage."""
        return {
            "only_by": held.only_held_by(self.graph, self.tree),
            "caches": held.caches(self.graph, self.tree),
            "garbage": held.garbage(self.graph, self.tree),
        }

    def largest_nodes(self, most: int, least: int) -> list[int]:
        """Reached objects that retain at least so many bytes, the largest first."""
        nodes = np.flatnonzero(self.tree.retained[: self.graph.objects] >= least)
        found: Sequence[int] = nodes[np.argsort(-self.tree.retained[nodes], kind="stable")][:most].tolist()
        return list(found)
