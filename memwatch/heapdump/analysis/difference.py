"""What is new in the second of two dumps: by type, by root and by path.

The dumps may be of one process at two times, of two workers, or of two releases: rows are compared by name, paths by
shape. Of one process, an object is new if there was none of its type at its address.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from memwatch.heapdump.analysis.graph import HeapGraph, Int32
from memwatch.heapdump.analysis.heap import Heap
from memwatch.heapdump.analysis.result import MOST_PATH_GROUPS
from memwatch.heapdump.results import changes, same_process

MOST_ROWS = 200
MOST_PATH_TYPES = 10
LEAST_SHARE = 0.01
"""Of the bytes of the way that grew most: ways that grew less are left out."""


def difference(before: Heap, after: Heap) -> dict[str, Any]:
    """JSON-ready. Rows that grew most first; ``paths`` of the types that grew most."""
    types = changes([total.to_dict() for total in before.type_totals], [total.to_dict() for total in after.type_totals])
    same = same_process(before.graph.about, after.graph.about)
    grown = _telling(after, [row["name"] for row in types if row["size"] > 0 and row["count"] > 0])
    return {
        "same_process": same,
        "before": before.about(),
        "after": after.about(),
        "types": types[:MOST_ROWS],
        "roots": changes(before.roots(most=100_000), after.roots(most=100_000))[:MOST_ROWS],
        "paths": [row for name in grown for row in _paths(before, after, name, same=same)],
    }


def _telling(heap: Heap, names: list[str]) -> list[str]:
    """The program's own types first, then others, as they grew."""
    modules = {each.name: each.module for each in heap.graph.type_list}
    own = [name for name in names if name in modules and heap.paths.origins.own_module(modules[name])]
    return [*own, *(name for name in names if name not in own)][:MOST_PATH_TYPES]


def _paths(before: Heap, after: Heap, name: str, *, same: bool) -> list[dict[str, Any]]:
    """Ways in which more objects of the type are kept than before, those of most new bytes first."""
    nodes = after.graph.of_types(after.graph.types_named(name))
    if same:
        nodes = nodes[is_new(before.graph, after.graph, name, nodes)]
        old = {}
    else:
        old = {group.shape: group for group in before.groups_of(name, most=1_000)}
    found = []
    for group in after.paths.groups(nodes, most=1_000):
        earlier = old.get(group.shape)
        count = group.count - (earlier.count if earlier else 0)
        size = group.size - (earlier.size if earlier else 0)
        if count > 0 and size > 0:
            row = {"type": name, **group.to_dict(), "count": count, "size": size}
            row["retained"] = group.retained - (earlier.retained if earlier else 0)
            found.append({**row, "is_new": earlier is None and not same})
    largest = max((row["size"] for row in found), default=0)
    told = [row for row in found if row["size"] >= LEAST_SHARE * largest]
    return sorted(told, key=lambda row: (-row["retained"], -row["size"]))[:MOST_PATH_GROUPS]


def is_new(before: HeapGraph, after: HeapGraph, name: str, nodes: Int32) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of these objects of a type were not there before, by their addresses."""
    old = before.addresses[before.of_types(before.types_named(name))]
    return ~np.isin(after.addresses[nodes], old)
