"""What is reached from where, breadth first.

Wide levels are taken at once by numpy, narrow ones step by step: a chain of a million objects has a million levels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from memwatch.heapdump.analysis.graph import HeapGraph, Int32, Int64, Ints, Mask
from memwatch.heapdump.format import Edge

WIDE = 100
"""From so many nodes on, a level is taken at once."""
NOT_REACHED = -1


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ShortestPaths:
    """By node: how a shortest way from the start comes to it."""

    references: Int64
    """The reference that leads to it; ``NOT_REACHED`` for the start and where no way leads."""
    parents: Int32
    """The node from which it leads."""
    depths: Int32


def reached_from(graph: HeapGraph, start: Sequence[int] | Ints, *, without: Mask | None = None) -> Mask:
    """Which nodes strong references lead to, if those of ``without`` did not exist."""
    seen = np.zeros(graph.nodes, np.bool_)
    if without is not None:
        seen |= without
    _search(graph, start, seen, None)
    if without is not None:
        seen &= ~without
    return seen


def shortest_paths(graph: HeapGraph) -> ShortestPaths:
    """From the roots to every object, without weak references."""
    found = ShortestPaths(
        references=np.full(graph.nodes, NOT_REACHED, np.int64),
        parents=np.full(graph.nodes, NOT_REACHED, np.int32),
        depths=np.full(graph.nodes, NOT_REACHED, np.int32),
    )
    _search(graph, [graph.top], np.zeros(graph.nodes, np.bool_), found)
    return found


def _search(graph: HeapGraph, start: Sequence[int] | Ints, seen: Mask, found: ShortestPaths | None) -> None:
    level = np.unique(np.asarray(start, np.int32))
    level = level[~seen[level]]
    seen[level] = True
    narrow = _Narrow(graph, seen, found)
    depth = 0
    if found is not None:
        found.depths[level] = 0
    while len(level):
        depth += 1
        level = _wide(graph, level, seen, found) if len(level) >= WIDE else narrow.next(level)
        if found is not None:
            found.depths[level] = depth


def _wide(graph: HeapGraph, level: Int32, seen: Mask, found: ShortestPaths | None) -> Int32:
    references = references_of(graph, level)
    references = references[graph.kinds[references] != Edge.WEAK]
    heads = graph.targets[references]
    new = ~seen[heads]
    references, heads = references[new], heads[new]
    heads, first = np.unique(heads, return_index=True)
    seen[heads] = True
    if found is not None:
        references = references[first]
        found.references[heads] = references
        found.parents[heads] = np.searchsorted(graph.offsets, references, side="right") - 1
    return heads


def references_of(graph: HeapGraph, nodes: Ints) -> npt.NDArray[np.int64]:
    """All references of these nodes, in the order of the nodes."""
    begins = graph.offsets[nodes]
    counts = graph.offsets[nodes + 1] - begins
    shift = np.repeat(begins - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    found: npt.NDArray[np.int64] = shift + np.arange(len(shift))
    return found


class _Narrow:
    """Levels of few nodes, through views whose items are read without numpy."""

    def __init__(self, graph: HeapGraph, seen: Mask, found: ShortestPaths | None) -> None:
        self._offsets, self._targets = graph.offsets.data, graph.targets.data
        self._kinds, self._seen = graph.kinds.data, seen.data
        self._references = found.references.data if found is not None else None
        self._parents = found.parents.data if found is not None else None

    def next(self, level: Int32) -> Int32:
        """The next level."""
        new: list[int] = []
        seen, kinds, weak = self._seen, self._kinds, int(Edge.WEAK)
        for node in level.tolist():
            begin = self._offsets[node]
            for reference, head in enumerate(self._targets[begin : self._offsets[node + 1]], begin):
                if not seen[head] and kinds[reference] != weak:
                    seen[head] = True
                    new.append(head)
                    if self._references is not None and self._parents is not None:
                        self._references[head] = reference
                        self._parents[head] = node
        return np.array(new, np.int32)
