"""Memory that only frames, tracebacks, closures, generators or caches keep alive, and garbage that nothing does."""

from __future__ import annotations

from typing import Any

import numpy as np

from memwatch.heapdump.analysis.containers import sums_by_type
from memwatch.heapdump.analysis.dominators import DominatorTree
from memwatch.heapdump.analysis.graph import HeapGraph, Int32
from memwatch.heapdump.analysis.reaching import references_of
from memwatch.heapdump.analysis.totals import freed_without
from memwatch.heapdump.format import Edge, Family

GROUPS = {
    "frames": (Family.FRAME,),
    "tracebacks": (Family.TRACEBACK,),
    "closures": (Family.CELL,),
    "generators": (Family.GENERATOR,),
    "caches": (Family.LRU_CACHE,),
}
MOST_CACHES = 20


def only_held_by(graph: HeapGraph, tree: DominatorTree) -> dict[str, dict[str, int]]:
    """JSON-ready, by kind of holder: what no root reaches without all holders of that kind, they included."""
    found = {}
    for name, families in GROUPS.items():
        nodes = graph.of_family(*families)
        nodes = nodes[tree.reached()[nodes]]
        size, objects = freed_without(graph, tree, nodes) if len(nodes) else (0, 0)
        found[name] = {"holders": len(nodes), "bytes": size, "objects": objects}
    return found


def caches(graph: HeapGraph, tree: DominatorTree) -> list[dict[str, Any]]:
    """JSON-ready: functions with an ``lru_cache``, those whose caches retain most first."""
    nodes = graph.of_family(Family.LRU_CACHE)
    largest = nodes[np.argsort(-tree.retained[nodes], kind="stable")][:MOST_CACHES].tolist()
    found = []
    for node in largest:
        label = graph.labels.get(node)
        found.append(
            {
                "node": node,
                "function": label.name if label else "?",
                "file": label.file if label else "",
                "line": label.line if label else 0,
                "retained": int(tree.retained[node]),
                "objects": int(tree.retained_objects[node]),
            }
        )
    return found


def garbage(graph: HeapGraph, tree: DominatorTree) -> dict[str, Any]:
    """JSON-ready: what waits for the garbage collector, by type, and the part of it that is in cycles."""
    unreached = ~tree.reached()
    unreached[graph.top] = False
    nodes = np.flatnonzero(unreached).astype(np.int32)
    in_cycles = _in_cycles(graph, nodes)
    return {
        "count": len(nodes),
        "bytes": int(graph.sizes[nodes].sum()),
        "types": sums_by_type(graph, graph.types[nodes], graph.sizes[nodes]),
        "in_cycles": sums_by_type(graph, graph.types[in_cycles], graph.sizes[in_cycles]),
    }


def _in_cycles(graph: HeapGraph, nodes: Int32) -> Int32:
    """Those in a cycle or between two: what remains when ends and beginnings are taken off, again and again."""
    if not len(nodes):
        return nodes
    place = np.full(graph.nodes, -1, np.int32)
    place[nodes] = np.arange(len(nodes), dtype=np.int32)
    references = references_of(graph, nodes)
    references = references[graph.kinds[references] != Edge.WEAK]
    sources = place[np.searchsorted(graph.offsets, references, side="right") - 1]
    targets = place[graph.targets[references]]
    inside = targets >= 0
    sources, targets = sources[inside], targets[inside]
    left = np.ones(len(nodes), np.bool_)
    for tails, heads in ((sources, targets), (targets, sources)):
        _take_off(tails, heads, left)
    return nodes[left]


def _take_off(tails: Int32, heads: Int32, left: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    """Take off what nothing that is left leads to."""
    kept = left[tails] & left[heads]
    tails, heads = tails[kept], heads[kept]
    order = np.argsort(tails, kind="stable")
    tails, heads = tails[order], heads[order]
    begins = np.searchsorted(tails, np.arange(len(left) + 1)).tolist()
    into = np.bincount(heads, minlength=len(left)).tolist()
    followers = heads.tolist()
    waiting = [node for node in range(len(left)) if left[node] and not into[node]]
    while waiting:
        node = waiting.pop()
        left[node] = False
        for head in followers[begins[node] : begins[node + 1]]:
            into[head] -= 1
            if not into[head]:
                waiting.append(head)
