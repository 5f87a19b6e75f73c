"""Dominators and retained sizes.

A node dominates an object if every path from the roots to the object goes through it: the object dies with it.
Lengauer and Tarjan's algorithm with path compression, O(m log n) for any graph, without recursion. Of numbered nodes,
only references that lead to a lower number (those across the tree of the search, and back) cost an interpreted step.
"""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from memwatch.heapdump.analysis.graph import HeapGraph, Ints, Mask, offsets_of

NOWHERE = -1


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DominatorTree:
    """By node; ``NOWHERE`` and 0 for those that no root reaches."""

    dominators: npt.NDArray[np.int32]
    """The nearest dominator; ``NOWHERE`` also for the top."""
    retained: npt.NDArray[np.int64]
    """Bytes that die with the node, its own included."""
    retained_objects: npt.NDArray[np.int32]
    """Objects that die with the node, itself included."""
    first: npt.NDArray[np.int32]
    """The node's place in the tree, parents first: those that it dominates are at
    ``first[node]`` … ``first[node] + retained_objects[node] - 1``."""
    order: npt.NDArray[np.int32]
    """The nodes in the order of their places."""

    def children(self, node: int) -> npt.NDArray[np.int32]:
        """The nodes whose nearest dominator it is, those that retain most first."""
        if self.first[node] == NOWHERE:
            return np.empty(0, np.int32)
        start = int(self.first[node])
        below = self.order[start + 1 : start + int(self.retained_objects[node])]
        found = below[self.dominators[below] == node]
        sorted_: npt.NDArray[np.int32] = found[np.argsort(-self.retained[found], kind="stable")]
        return sorted_

    def reached(self) -> Mask:
        """Which nodes a root reaches."""
        found: Mask = self.first != NOWHERE
        return found


def dominator_tree(graph: HeapGraph) -> DominatorTree:
    """The tree from the top, without weak references."""
    strong = graph.strong()
    if strong.all():
        offsets, targets = graph.offsets, graph.targets
    else:
        offsets = offsets_of(graph.sources()[strong], graph.nodes)
        targets = graph.targets[strong]
    numbering = _numbered(offsets, targets, graph.top)
    order, parents = numbering
    count = len(order)
    number = np.full(graph.nodes, NOWHERE, np.int32)
    number[order] = np.arange(count, dtype=np.int32)
    sources = number[np.repeat(np.arange(graph.nodes, dtype=np.int32), np.diff(offsets))]
    reached = sources != NOWHERE
    sources, numbered_targets = sources[reached], number[targets[reached]]
    del reached, number
    by_number = _lengauer_tarjan(sources, numbered_targets, parents)
    return _tree(graph, order, by_number)


def _numbered(offsets: Ints, targets: Ints, start: int) -> tuple[npt.NDArray[np.int32], array[int]]:
    """Nodes in the order of a depth-first search, and the number of each one's parent there."""
    begins, ends = array("q", offsets[:-1].tobytes()), array("q", offsets[1:].tobytes())
    heads = array("i", targets.astype(np.int32, copy=False).tobytes())
    numbers = array("i", bytes(4 * len(begins)))  # 0: not seen; else the number + 1
    pushed_by = array("i", bytes(4 * len(begins)))
    order, parents, waiting = array("i"), array("i"), array("i", [start])
    pop, push, number, parent_of = waiting.pop, waiting.append, order.append, parents.append
    count = 0
    while waiting:
        node = pop()
        if numbers[node]:
            continue
        number(node)
        parent_of(pushed_by[node])
        for head in heads[begins[node] : ends[node]]:
            if not numbers[head]:
                pushed_by[head] = count
                push(head)
        count += 1
        numbers[node] = count
    return np.frombuffer(order, np.int32), parents


def _lengauer_tarjan(sources: Ints, targets: Ints, parents: array[int]) -> array[int]:
    """Each node's dominator; nodes are numbers of a depth-first search, the start is 0."""
    count = len(parents)
    semi_ = np.frombuffer(parents, np.int32).copy()
    forward = sources < targets
    np.minimum.at(semi_, targets[forward], sources[forward])
    backward = sources > targets
    # Each pair once, in the order of the targets.
    pairs = np.unique(targets[backward].astype(np.int64) * count + sources[backward])
    starts = array("q", offsets_of((pairs // count).astype(np.int32), count).tobytes())
    entering = array("i", (pairs % count).astype(np.int32).tobytes())
    del forward, backward, pairs
    semi = array("i", semi_.tobytes())
    label = array("i", np.arange(count, dtype=np.int32).tobytes())
    ancestor = array("i", parents)
    dominator = array("i", parents)
    first_in_bucket, next_in_bucket = array("i", bytes(4 * count)), array("i", bytes(4 * count))

    least = _least_on_the_way(ancestor, label, semi)
    for node in range(count - 1, 0, -1):
        lowest = semi[node]
        for source in entering[starts[node] : starts[node + 1]]:
            candidate = semi[label[source] if ancestor[source] <= node else least(source, node + 1)]
            if candidate < lowest:  # noqa: PLR1730 - min() takes three times as long
                lowest = candidate
        semi[node] = lowest
        parent = parents[node]
        if lowest != parent:  # else the parent is the dominator
            next_in_bucket[node] = first_in_bucket[lowest]
            first_in_bucket[lowest] = node
        # The node is linked from here on; those whose semidominator is its parent are settled.
        waiting = first_in_bucket[parent]
        first_in_bucket[parent] = 0
        while waiting:
            best = least(waiting, node)
            dominator[waiting] = best if semi[best] < semi[waiting] else parent
            waiting = next_in_bucket[waiting]
    for node in range(1, count):
        if semi[node] != parents[node] and dominator[node] != semi[node]:
            dominator[node] = dominator[dominator[node]]
    return dominator


def _least_on_the_way(ancestor: array[int], label: array[int], semi: array[int]) -> Callable[[int, int], int]:
    def least(node: int, linked: int) -> int:
        """The node with the least semidominator on the way up from ``node``, among the numbers from ``linked`` on."""
        if ancestor[node] < linked:
            return label[node]
        way = []
        while ancestor[node] >= linked:
            way.append(node)
            node = ancestor[node]
        above, best = ancestor[node], label[node]
        for each in reversed(way):
            ancestor[each] = above
            own = label[each]
            if semi[best] < semi[own]:
                label[each] = best
            else:
                best = own
        return best

    return least


def _tree(graph: HeapGraph, order: npt.NDArray[np.int32], by_number: array[int]) -> DominatorTree:
    """Add up from the last number to the first: a dominator's number is lower than that of what it dominates."""
    count = len(order)
    sizes = array("q", graph.sizes[order].tobytes())
    objects = array("i", [1]) * count
    for number in range(count - 1, 0, -1):
        above = by_number[number]
        sizes[above] += sizes[number]
        objects[above] += objects[number]
    places, free = array("i", bytes(4 * count)), array("i", bytes(4 * count))
    if count:
        free[0] = 1
    for number in range(1, count):
        above = by_number[number]
        place = places[number] = free[above]
        free[above] = place + objects[number]
        free[number] = place + 1
    dominators = np.full(graph.nodes, NOWHERE, np.int32)
    dominators[order[1:]] = order[np.frombuffer(by_number, np.int32)[1:]]
    retained = np.zeros(graph.nodes, np.int64)
    retained[order] = np.frombuffer(sizes, np.int64)
    retained_objects = np.zeros(graph.nodes, np.int32)
    retained_objects[order] = np.frombuffer(objects, np.int32)
    first = np.full(graph.nodes, NOWHERE, np.int32)
    first[order] = np.frombuffer(places, np.int32)
    by_place = np.empty(count, np.int32)
    by_place[first[order]] = order
    return DominatorTree(
        dominators=dominators, retained=retained, retained_objects=retained_objects, first=first, order=by_place
    )
