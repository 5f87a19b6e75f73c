"""From what holds what to the ways in which instances are kept alive. Values only: nothing here touches the heap."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from memwatch.diagnosis.heap.introspection import counted
from memwatch.diagnosis.referrers.nodes import NAMESPACE, PASSED_ON, Edge, Node
from memwatch.diagnosis.results import Chain, Referrer

ARROW = " → "
MOST_CHAINS = 10
MOST_REFERRERS = 25
_PATHS_EACH = 3
"""Ways that are followed for one instance, the shortest first."""
_STEPS_EACH = 400
UNNAMED = frozenset({"key", "as a key", "index", "entry", "cell", "inside", "bound method"})
"""Ways of which a chain need not speak: the type of the holder says it."""
NO_ROOT = "none found: held by a frame, by C code, or higher up than was climbed"


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """One way from a root down to an instance."""

    elements: tuple[str, ...]
    root: str
    nodes: tuple[int, ...]
    """The ids of the objects on it, as far as they have nodes; outermost first."""
    found: bool


class Graph:
    """Nodes and who refers to them, filled level by level."""

    def __init__(self, type_name: str) -> None:
        self._type = type_name
        self.nodes: dict[int, Node] = {}
        self._parents: dict[int, list[tuple[int, Edge]]] = {}
        self._places: dict[int, list[tuple[str, str]]] = {}
        """Roots that are no objects: ``(element, root)`` of module-level names and local variables."""
        self.cells: Mapping[int, str] = {}

    def add(self, node: Node) -> None:
        """A holder with its edges; one seen before gains edges."""
        known = self.nodes.get(node.id)
        self.nodes[node.id] = node
        have = set(known.edges) if known else set()
        for edge in node.edges:
            if edge not in have:
                self._parents.setdefault(edge.child, []).append((node.id, edge))
        if known:
            self.nodes[node.id] = dataclasses.replace(node, edges=tuple({*known.edges, *node.edges}))

    def place(self, child: int, element: str, root: str) -> None:
        """A name under which the object itself can be reached."""
        places = self._places.setdefault(child, [])
        if (element, root) not in places:
            places.append((element, root))

    def has_holder(self, child: int) -> bool:
        """Whether anything is known to refer to it."""
        return child in self._parents or child in self._places

    def parents(self, child: int) -> list[tuple[int, Edge]]:
        """Who refers to it, and how."""
        return self._parents.get(child, [])

    def places(self, child: int) -> list[tuple[str, str]]:
        """``(element, root)`` of the names under which it can be reached itself."""
        return self._places.get(child, [])

    def is_namespace(self, child: int) -> bool:
        """Whether it is the dict of somebody's attributes, or the tuple of a function's cells."""
        return any(edge.via in (NAMESPACE, PASSED_ON) for _parent, edge in self.parents(child))

    def above(self, child: int) -> dict[int, int]:
        """All that leads to it, with the least number of steps; what is found from a root on is left out."""
        steps = {child: 0}
        waiting = deque([child])
        while waiting:
            below = waiting.popleft()
            for parent, _edge in self.parents(below):
                if parent not in steps:
                    steps[parent] = steps[below] + 1
                    waiting.append(parent)
        del steps[child]
        return steps

    def ways(self, instance: int) -> list[Way]:
        """The shortest ways to an instance; where no root was found, one way from the highest object found."""
        found: list[Way] = []
        highest: Way | None = None
        waiting: deque[tuple[int, tuple[str, ...], tuple[int, ...]]] = deque([(instance, (), ())])
        for _ in range(_STEPS_EACH):
            if not waiting or len(found) >= _PATHS_EACH:
                break
            child, below, nodes = waiting.popleft()
            for element, root in self._places.get(child, ()):
                found.append(Way((f"{element}{self._in_brackets(child)}", *below), root, nodes, True))
            ups = self._ups(child)
            for parent, element in ups:
                if parent in nodes or parent == instance:
                    continue
                node = self.nodes[parent]
                if node.root is not None:
                    found.append(Way((f"{node.label}: {element}", *below), node.root, nodes, True))
                else:
                    waiting.append((parent, (element, *below), (parent, *nodes)))
            if not ups and (highest is None or len(below) > len(highest.elements) - 1):
                highest = Way((self._described(child), *below), NO_ROOT, nodes, False)
        return found[:_PATHS_EACH] or ([highest] if highest else [])

    def _ups(self, child: int) -> list[tuple[int, str]]:
        """``(holder, how the child shows below it)``; namespaces give way to those whose they are."""
        found: list[tuple[int, str]] = []
        for parent, edge in self._parents.get(child, ()):
            owners = [owner for owner, up in self._parents.get(parent, ()) if up.via == NAMESPACE]
            functions = [owner for owner, up in self._parents.get(parent, ()) if up.via == PASSED_ON]
            found += [(each, self._named(f"{self._attribute(each)} '{edge.key}'", child)) for each in owners]
            found += [(each, self._described(child)) for each in functions]
            if not owners and not functions:
                found.append((parent, self._by_edge(edge, child)))
        return found

    def _attribute(self, owner: int) -> str:
        root = self.nodes[owner].root or ""
        return "class attribute" if root.startswith("class ") else "attribute"

    def _by_edge(self, edge: Edge, child: int) -> str:
        return self._described(child) if edge.via in UNNAMED else self._named(edge.via, child)

    def _named(self, how: str, child: int) -> str:
        return f"{how} ({self._described(child)})"

    def _described(self, child: int) -> str:
        node = self.nodes.get(child)
        if node is None:
            return self._type
        label = f"closure variable '{self.cells[child]}'" if child in self.cells else node.label
        return label if node.length is None else f"{label}, {counted(node.length)}"

    def _in_brackets(self, child: int) -> str:
        return f" ({self._described(child)})"

    def directly(self, instance: int) -> set[tuple[str, str]]:
        """``(holder's type, via)`` of each way in which an instance itself is referred to."""
        found: set[tuple[str, str]] = set()
        for element, root in self._places.get(instance, ()):
            found.add((root, element))
        for parent, edge in self._parents.get(instance, ()):
            owners = [owner for owner, up in self._parents.get(parent, ()) if up.via == NAMESPACE]
            for owner in owners:
                node = self.nodes[owner]
                found.add((node.root or node.type, f"{self._attribute(owner)} '{edge.key}'"))
            if not owners:
                node = self.nodes[parent]
                via = f"cell '{self.cells[parent]}'" if parent in self.cells else edge.via
                found.add((node.root or node.type, via))
        return found


def referrers(graph: Graph, examined: Sequence[int], instances: int) -> tuple[Referrer, ...]:
    """The ways in which instances are referred to directly, the most frequent first."""
    counts = Counter(how for instance in examined for how in graph.directly(instance))
    scale = instances / max(len(examined), 1)
    return tuple(
        Referrer(holder_type=holder, via=via, count=round(count * scale))
        for (holder, via), count in counts.most_common(MOST_REFERRERS)
    )


def chains(ways: Mapping[int, Sequence[Way]], instances: int) -> tuple[Chain, ...]:
    """The ways with the same elements taken together: those with a root first, then the most frequent."""
    counts = Counter((way.elements, way.root, way.found) for each in ways.values() for way in each)
    scale = instances / max(len(ways), 1)
    ordered = sorted(counts.items(), key=lambda item: (not item[0][2], -item[1], len(item[0][0])))
    return tuple(
        Chain(path=elements, count=round(count * scale), root=root)
        for (elements, root, _), count in ordered[:MOST_CHAINS]
    )
