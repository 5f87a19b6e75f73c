"""Texts that exist more than once: what one object for each would save."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from memwatch.heapdump.analysis.graph import HeapGraph
from memwatch.heapdump.analysis.paths import Paths
from memwatch.heapdump.format import Family

MOST_GROUPS = 20
SAMPLE = 200
"""Objects of a group whose holder is looked for."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate:
    """Equal texts. The contents are not known."""

    type: str
    length: int
    """Characters or bytes."""
    count: int
    saved: int
    """Bytes that one object instead of all would save."""
    holder: str
    """Where most of them are kept."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """Of a type of texts."""

    type: str
    count: int
    distinct: int
    saved: int


def duplicates(graph: HeapGraph, paths: Paths) -> dict[str, Any]:
    """JSON-ready: ``types``, ``groups`` and ``saved``, those that would save most first."""
    nodes = graph.of_family(Family.STR, Family.BYTES)
    nodes = nodes[graph.hashes[nodes] != 0]
    order = np.lexsort((graph.hashes[nodes], graph.lengths[nodes], graph.types[nodes]))
    nodes = nodes[order]
    keys = np.stack([graph.types[nodes].astype(np.uint64), graph.lengths[nodes].astype(np.uint64), graph.hashes[nodes]])
    starts = np.flatnonzero(np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0))) if len(nodes) else nodes
    if not len(starts):
        return {"saved": 0, "types": [], "groups": []}
    counts = np.diff(np.append(starts, len(nodes)))
    # One of them stays: the largest, since a text may have made other forms of itself.
    saved = np.add.reduceat(graph.sizes[nodes], starts) - np.maximum.reduceat(graph.sizes[nodes], starts)
    types = graph.types[nodes[starts]]
    rows = [
        Duplicates(
            type=graph.type_list[type_].name,
            count=int(counts[types == type_].sum()),
            distinct=int(np.count_nonzero(types == type_)),
            saved=int(saved[types == type_].sum()),
        )
        for type_ in np.unique(types).tolist()
    ]
    groups = []
    for at in np.argsort(-saved, kind="stable")[:MOST_GROUPS].tolist():
        if saved[at] <= 0:
            break
        members = nodes[starts[at] : starts[at] + counts[at]]
        held = paths.groups(members[:: -(-len(members) // SAMPLE)], most=1)
        groups.append(
            Duplicate(
                type=graph.type_of(int(members[0])).name,
                length=int(graph.lengths[members[0]]),
                count=len(members),
                saved=int(saved[at]),
                holder=held[0].holder if held else "",
            )
        )
    return {
        "saved": int(saved.sum()),
        "types": [dataclasses.asdict(row) for row in sorted(rows, key=lambda row: -row.saved)],
        "groups": [dataclasses.asdict(group) for group in groups],
    }
