"""The shape of a path: equal for paths that differ only in indexes, keys and the length of linked lists."""

from __future__ import annotations

from collections.abc import Sequence

from memwatch.heapdump.analysis.graph import CLASS_EDGE, HeapGraph
from memwatch.heapdump.analysis.reaching import ShortestPaths
from memwatch.heapdump.format import Edge

MOST_REPEATED = 3
"""Steps that count once however often they follow each other: node, ``__dict__``, list, node …"""
NAMED = frozenset({Edge.ATTRIBUTE, Edge.CELL, Edge.LOCAL, Edge.GLOBAL, Edge.CLASS_ATTRIBUTE})
"""References whose name belongs to the shape."""
_VARIABLES = NAMED - {Edge.ATTRIBUTE}

Element = tuple[int, int, int]
"""Kind and name of the reference, type of the object; kind -1 and the number of a label for a root."""


def _goes_around(new: Sequence[Element], old: Sequence[Element]) -> bool:
    """Whether elements, the last first, repeat those before. The way into the first round may be another one."""
    if new == old:
        return True
    (kind, _name, type_), (old_kind, _old_name, old_type) = new[-1], old[-1]
    if new[:-1] != old[:-1] or type_ != old_type:
        return False
    # The name of a variable is no repetition, nor that of an attribute whose value is a dict, as its namespace is.
    return kind not in _VARIABLES and not (kind == Edge.ATTRIBUTE and old_kind == Edge.DICT)


class Shapes:
    """Numbers shapes: 0 is that of the top, every other one has a shape before it and a last element."""

    def __init__(self, graph: HeapGraph, shortest: ShortestPaths) -> None:
        self._graph, self._shortest = graph, shortest
        self._shapes: list[tuple[int, Element]] = [(-1, (-1, -1, -1))]
        self._numbers: dict[tuple[int, Element], int] = {}
        self._shape_of: dict[int, int] = {graph.top: 0}
        self._root_labels: dict[str, int] = {}
        self._types: dict[str, int] = {}
        self._type_numbers = [self._types.setdefault(each.name, number) for number, each in enumerate(graph.type_list)]

    def of(self, node: int) -> int:
        """The number of the shape of the shortest path to a node that a root reaches."""
        way = []
        while node not in self._shape_of:
            way.append(node)
            node = int(self._shortest.parents[node])
        shape = self._shape_of[node]
        for each in reversed(way):
            shape = self._shape_of[each] = self._longer(shape, self._element(each))
        return shape

    def _element(self, node: int) -> Element:
        graph, type_ = self._graph, self._type_numbers[self._graph.types[node]]
        if self._shortest.parents[node] == graph.top:
            label = graph.roots[node].label
            return -1, self._root_labels.setdefault(label, len(self._root_labels)), type_
        reference = int(self._shortest.references[node])
        kind = int(graph.kinds[reference])
        return kind, int(graph.names[reference]) if kind in NAMED else -1, type_

    def _longer(self, shape: int, element: Element) -> int:
        """The shape with one more element; an earlier one where the last elements only repeat those before."""
        key = (shape, element)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._repeated(shape, element) or len(self._shapes)
            if number == len(self._shapes):
                self._shapes.append(key)
        return number

    def _repeated(self, shape: int, element: Element) -> int:
        last, shapes = [element], []
        while shape > 0 and len(last) < 2 * MOST_REPEATED:
            before, own = self._shapes[shape]
            last.append(own)
            shapes.append(shape)
            shape = before
        for period in range(1, MOST_REPEATED + 1):
            if len(last) >= 2 * period and _goes_around(last[:period], last[period : 2 * period]):
                return shapes[period - 1]
        return 0

    def before(self, shape: int) -> int:
        """The shape without its last element; below 0 for that of the top."""
        return self._shapes[shape][0]

    def text(self, shape: int) -> str:
        """One line, equal for equal shapes of different dumps."""
        parts = []
        labels = list(self._root_labels)
        while shape > 0:
            shape, (kind, name, type_) = self._shapes[shape]
            of = self._graph.type_list[type_].name
            if kind == -1:
                parts.append(f"{labels[name]}: {of}")
            else:
                word = "class" if kind == CLASS_EDGE else Edge(kind).name.lower()
                parts.append(f"{word} {self._graph.texts[name]}: {of}" if name >= 0 else f"{word}: {of}")
        return " > ".join(reversed(parts))
