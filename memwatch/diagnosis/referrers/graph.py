"""From what holds what to the ways in which instances are kept alive. Values only: nothing here touches the heap."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

from memwatch.diagnosis.heap.introspection import counted
from memwatch.diagnosis.heap.references import NAMESPACES, Start
from memwatch.diagnosis.referrers.nodes import Link, Node
from memwatch.diagnosis.results import Chain, Referrer
from memwatch.heapdump import words
from memwatch.heapdump.format import Edge
from memwatch.sampling.type_names import MAX_NAME

ARROW = " → "
MOST_CHAINS = 10
MOST_REFERRERS = 25
_PATHS_EACH = 3
"""Ways that are followed for one instance, the shortest first."""
_STEPS_EACH = 400
_UNNAMED = frozenset({Edge.KEY, Edge.VALUE, Edge.INDEX, Edge.MEMBER, Edge.CELL})
"""A chain need not speak of these: the type of the holder says it, or the name of the cell."""
_PLAIN = ("", "cell", "bound method")
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
        self._parents: dict[int, list[tuple[int, Link]]] = {}
        self._starts: dict[int, dict[Start, None]] = {}
        self._owners: dict[int, list[int]] = {}
        self._variables: dict[int, str] = {}
        self._namespaces: set[int] = set()
        self._known_ups: dict[int, list[tuple[int, str]]] = {}
        """Until something is added: where thousands refer to one object, many ways lead through it."""

    def add(self, node: Node) -> None:
        """A holder with its links; one seen before gains links."""
        known = self.nodes.get(node.id)
        have = known.links if known else ()
        new = [link for link in node.links if link not in set(have)]
        self._known_ups.clear()
        for link in new:
            self._parents.setdefault(link.child, []).append((node.id, link))
            if link.how is Edge.DICT:
                self._owners.setdefault(link.child, []).append(node.id)
            elif link.how is Edge.CELL:
                self._variables.setdefault(link.child, link.name)
            if link.how is Edge.DICT or (link.how is Edge.CELL and not link.name):
                self._namespaces.add(link.child)
        self.nodes[node.id] = dataclasses.replace(node, links=(*have, *new))

    def start(self, child: int, start: Start) -> None:
        """A name under which the object itself can be reached."""
        self._starts.setdefault(child, {})[start] = None

    def has_holder(self, child: int) -> bool:
        """Whether anything is known to refer to it."""
        return child in self._parents or child in self._starts

    def parents(self, child: int) -> list[tuple[int, Link]]:
        """Who refers to it, and how."""
        return self._parents.get(child, [])

    def starts(self, child: int) -> Iterable[Start]:
        """The names under which it can be reached itself."""
        return self._starts.get(child, {})

    def owners(self, child: int) -> list[int]:
        """Those whose attributes are in it, where it is a namespace."""
        return self._owners.get(child, [])

    def variable(self, cell: int) -> str:
        """The name of the closure variable that a cell is; empty for all others."""
        return self._variables.get(cell, "")

    def is_namespace(self, child: int) -> bool:
        """Whether it is the dict of somebody's attributes, or the tuple of a function's cells."""
        return child in self._namespaces

    def above(self, child: int) -> dict[int, int]:
        """All that leads to it, with the least number of steps; what is found from a root on is left out."""
        steps = {child: 0}
        waiting = deque([child])
        while waiting:
            below = waiting.popleft()
            for parent, _link in self.parents(below):
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
            found += [
                Way((f"{start.element} ({self._described(child)})", *below), start.root, nodes, True)
                for start in self.starts(child)
            ]
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
        known = self._known_ups.get(child)
        if known is not None:
            return known
        found = self._known_ups[child] = []
        for parent, link in self.parents(child):
            owners = self.owners(parent)
            found += [(each, self._named(self._attribute(each, link), child)) for each in owners]
            if not owners and not self.is_namespace(parent):
                found.append((parent, self._by_link(link, child)))
        return found

    def _attribute(self, owner: int, link: Link) -> str:
        return words.reference(NAMESPACES.get(self.nodes[owner].family, Edge.ATTRIBUTE), link.name or "?")

    def _by_link(self, link: Link, child: int) -> str:
        is_plain = link.how in _UNNAMED or (link.how is Edge.OTHER and link.name in _PLAIN)
        return self._described(child) if is_plain else self._named(words.via(link.how, link.name), child)

    def _named(self, how: str, child: int) -> str:
        return f"{how} ({self._described(child)})"

    def _described(self, child: int) -> str:
        node = self.nodes.get(child)
        if node is None:
            return self._type
        variable = self.variable(child)
        label = words.reference(Edge.CELL, variable) if variable else node.label
        return label if node.length is None else f"{label}, {counted(node.length)}"

    def directly(self, instance: int) -> set[tuple[str, str]]:
        """``(holder's type, via)`` of each way in which an instance itself is referred to."""
        found: set[tuple[str, str]] = set()
        found.update((start.root, start.element) for start in self.starts(instance))
        for parent, link in self.parents(instance):
            for owner in self.owners(parent):
                found.add((self._title(owner), self._attribute(owner, link)))
            if not self.owners(parent):
                variable = self.variable(parent)
                found.add((self._title(parent), f"cell '{variable}'" if variable else words.via(link.how, link.name)))
        return found

    def _title(self, key: int) -> str:
        node = self.nodes[key]
        return node.root or node.type


def shortened(elements: Sequence[str], most: int = MAX_NAME) -> str:
    """A way as one text: where it is too long, without parts of its middle. What tells most is at its two ends."""
    text = ARROW.join(elements)
    for kept in range(len(elements) - 1, 1, -1):
        if len(text) <= most:
            break
        above = kept // 2
        text = ARROW.join((*elements[:above], "…", *elements[above - kept :]))
    return text


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
