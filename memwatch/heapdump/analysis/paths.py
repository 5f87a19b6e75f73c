"""What keeps objects alive: shortest paths from the roots, put together where they have one shape."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from memwatch.heapdump.analysis.dominators import DominatorTree
from memwatch.heapdump.analysis.graph import C_CODE, HeapGraph, Int32
from memwatch.heapdump.analysis.labels import Origins, edge_label, node_label
from memwatch.heapdump.analysis.reaching import NOT_REACHED, ShortestPaths
from memwatch.heapdump.analysis.shapes import NAMED, Shapes
from memwatch.heapdump.analysis.totals import outermost
from memwatch.heapdump.format import Edge
from memwatch.heapdump.format import Root as RootKind

MOST_GROUPS = 20
MOST_STEPS = 60
"""Of a path that is shown; the middle of a longer one is left out."""
SAMPLE = 1_000
"""Objects of a group whose paths are compared to find where they part."""


MOST_COMPARED = 200_000
"""Steps of these paths, about."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One object of a path."""

    node: int
    via: str
    """How the object before refers to it; of the first: which root does."""
    label: str
    own: bool
    """Whether it belongs to the program's own code, not to a library."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PathGroup:
    """Objects that are kept alive in one way."""

    count: int
    size: int
    """Bytes of the objects."""
    retained: int
    """Bytes that die with single ones of them."""
    root: str
    holder: str
    """The place in the code that holds them: the nearest one of the program's own, else of a library."""
    holder_file: str
    holder_line: int
    own: bool
    """Whether the holder is the program's own."""
    container: int
    """The object from which the paths to most of them part."""
    container_label: str
    container_retained: int
    shape: str
    """One line: equal for the same way in another dump."""
    steps: tuple[Step, ...]
    """The path to one of the objects."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**dataclasses.asdict(self), "steps": [step.to_dict() for step in self.steps]}


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    label: str
    own: bool
    file: str = ""
    line: int = 0


class Paths:
    """Groups by shape; what was found of one type helps with the next."""

    def __init__(self, graph: HeapGraph, tree: DominatorTree, shortest: ShortestPaths) -> None:
        self._graph, self._tree, self._shortest = graph, tree, shortest
        self._shapes = Shapes(graph, shortest)
        self.origins = Origins(graph)

    def groups(self, nodes: Int32, most: int = MOST_GROUPS) -> list[PathGroup]:
        """The ways in which these objects are kept, those that retain most first."""
        nodes = nodes[self._shortest.parents[nodes] != NOT_REACHED]
        by_shape: dict[int, list[int]] = {}
        for node in nodes.tolist():
            by_shape.setdefault(self._shapes.of(node), []).append(node)
        self._put_together(by_shape)
        members = list(by_shape.values())
        retained = self._retained(members)
        order = sorted(range(len(members)), key=lambda at: (-retained[at], -len(members[at]), members[at][0]))
        shapes = list(by_shape)
        return [self._group(shapes[at], members[at], retained[at]) for at in order[:most]]

    def _retained(self, groups: Sequence[Sequence[int]]) -> list[int]:
        """What dies with single objects of each group, each byte counted once."""
        group_of = np.zeros(self._graph.nodes, np.int32)
        for number, nodes in enumerate(groups):
            group_of[nodes] = number
        everything = np.fromiter(chain.from_iterable(groups), np.int32)
        outer = outermost(self._tree, everything, group_of[everything])
        found = np.zeros(len(groups), np.int64)
        np.add.at(found, group_of[outer], self._tree.retained[outer])
        retained: list[int] = found.tolist()
        return retained

    def _put_together(self, by_shape: dict[int, list[int]]) -> None:
        """A linked list is one group: objects that are held by others of their type belong to these.

        Not for built-in types: nearly everything is held by a dict.
        """
        for shape, nodes in list(by_shape.items()):
            if self._graph.type_of(nodes[0]).module == "builtins":
                continue
            above = self._shapes.before(shape)
            while above > 0 and above not in by_shape:
                above = self._shapes.before(above)
            if above > 0:
                by_shape[above] = by_shape[above] + by_shape.pop(shape)

    def path(self, node: int) -> list[Step]:
        """From a root to the node; empty where no root reaches it."""
        way = self._way(node)
        half = MOST_STEPS // 2
        return [self._step(each) for each in (way if len(way) <= MOST_STEPS else way[:half] + way[-half:])]

    def place_of(self, node: int) -> tuple[str, bool]:
        """Where the object is, and whether that is the program's own code.

        ``shop.leaks.QUOTES``, ``in shop.leaks.QUOTES``; empty where nothing near has a name.
        """
        way, top = [node], self._graph.top
        while len(way) < MOST_STEPS and (above := int(self._shortest.parents[way[-1]])) not in (top, NOT_REACHED):
            way.append(above)
        way.reverse()
        for at in range(len(way) - 1, 0, -1):
            place = self._place(way, at)
            if place is not None:
                return place.label if at == len(way) - 1 else f"in {place.label}", place.own
        return "", False

    def _way(self, node: int) -> list[int]:
        way: list[int] = []
        while node != self._graph.top:
            if node == NOT_REACHED:
                return []
            way.append(node)
            node = int(self._shortest.parents[node])
        way.reverse()
        return way

    def _step(self, node: int) -> Step:
        is_root = self._shortest.parents[node] == self._graph.top
        reference = int(self._shortest.references[node])
        via = self._graph.roots[node].label if is_root else edge_label(self._graph, reference)
        return Step(node=node, via=via, label=node_label(self._graph, node), own=self.origins.own(node))

    def _group(self, shape: int, nodes: list[int], retained: int) -> PathGroup:
        example, parts_at = self._parting(nodes)
        way = self._way(example)
        members = set(nodes)
        first = next(at for at, node in enumerate(way) if node in members)
        # Where objects of the group hold each other, the first of them is the container.
        container = way[min(parts_at, first)]
        places = self._places(way, min(parts_at, first - 1)) or self._places(way, first)
        holder = next(
            (place for place in reversed(places) if place.own), places[-1] if places else self._root_place(way[0])
        )
        steps = tuple(self.path(way[first]))
        return PathGroup(
            count=len(nodes),
            size=int(self._graph.sizes[nodes].sum()),
            retained=retained,
            root=steps[0].via,
            holder=holder.label,
            holder_file=holder.file,
            holder_line=holder.line,
            own=holder.own,
            container=container,
            container_label=node_label(self._graph, container),
            container_retained=int(self._tree.retained[container]),
            shape=self._shapes.text(shape),
            steps=steps,
        )

    def _parting(self, nodes: Sequence[int]) -> tuple[int, int]:
        """One of the objects, and the place on its path from which the paths to most of them part."""
        ordered = np.array(nodes, np.int32)
        depths = self._shortest.depths[ordered]
        least = int(depths.min())
        near = ordered[depths <= least + MOST_STEPS]
        most = max(20, min(SAMPLE, MOST_COMPARED // (least + 1)))
        sample = near[:: -(-len(near) // most)].tolist()
        ways = [self._way(node) for node in sample]
        passing = Counter(node for way in ways for node in way)
        shared = [[at for at, node in enumerate(way[:-1]) if 2 * passing[node] > len(ways)] for way in ways]
        chosen = max(range(len(ways)), key=lambda at: (len(shared[at]), -len(ways[at])))
        return sample[chosen], shared[chosen][-1] if shared[chosen] else max(0, len(ways[chosen]) - 2)

    def _places(self, way: Sequence[int], last: int) -> list[_Place]:
        """Up to the ``last`` object of the way, without those inside a linked structure: there each is as good."""
        found = []
        seen: set[int] = set()
        for at in range(1, last + 1):
            type_ = int(self._graph.types[way[at]])
            place = self._place(way, at) if type_ not in seen else None
            if self._graph.type_list[type_].module != "builtins":
                seen.add(type_)
            if place is not None:
                found.append(place)
        return found

    def _root_place(self, node: int) -> _Place:
        root = self._graph.roots[node]
        return _Place(root.label, self.origins.own(node), root.file, root.line)

    def _place(self, way: Sequence[int], at: int) -> _Place | None:
        """``shop.leaks.QUOTES``, ``AuditTrail.trail``, ``'kept' of handle``; ``None`` where the step has no name."""
        graph = self._graph
        reference = int(self._shortest.references[way[at]])
        kind, name = int(graph.kinds[reference]), graph.name_of(reference)
        if not name or kind not in NAMED:
            return None
        owner = way[at - 1]
        via = int(self._shortest.references[owner])
        if at > 1 and kind != Edge.GLOBAL and graph.kinds[via] == Edge.DICT:
            owner = way[at - 2]
        label, root = graph.labelled(owner), graph.roots.get(owner)
        title = label.name if label is not None else graph.type_of(owner).name
        if root is not None and root.name != C_CODE:
            title = root.name
        text = f"'{name}' of {title}" if kind in (Edge.LOCAL, Edge.CELL) else f"{title}.{name}"
        own = self.origins.own(owner)
        if root is not None and root.kind is RootKind.MODULE:
            return _Place(text, own, root.file)
        return _Place(text, own, label.file if label else "", label.line if label else 0)
