"""Containers that take more memory than their entries need, and what instances pay for their ``__dict__``.

The sizes that a container of so many entries needs are those of CPython 3.11 and later. Where an interpreter needs
less, less is found, never more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from memwatch.heapdump.analysis.graph import UNKNOWN, HeapGraph, Int64, Ints
from memwatch.heapdump.format import Edge, Family

LIST_HEAD, SET_HEAD, DICT_HEAD, DICT_KEYS_HEAD = 56, 216, 64, 32
POINTER, SET_ENTRY, DICT_ENTRY = 8, 16, 24
MOST_TYPES = 30
LEAST_SLACK, LEAST_SHARE = 1024, 0.25
"""A container is over-allocated if so many bytes of it, and this share, are for entries that it does not have."""


def containers(graph: HeapGraph) -> dict[str, Any]:
    """JSON-ready: ``empty`` and ``over_allocated`` by type, those that take most first."""
    nodes = graph.of_family(Family.LIST, Family.DICT, Family.SET, Family.DEQUE)
    nodes = nodes[graph.lengths[nodes] != UNKNOWN]
    families = np.array([each.family for each in graph.type_list], np.int16)[graph.types[nodes]]
    lengths, sizes = graph.lengths[nodes].astype(np.int64), graph.sizes[nodes]
    slack = np.zeros(len(nodes), np.int64)
    for family, needed in ((Family.LIST, _of_list), (Family.SET, _of_set), (Family.DICT, _of_dict)):
        chosen = families == family
        slack[chosen] = np.maximum(0, sizes[chosen] - needed(lengths[chosen]))
    over = (slack >= LEAST_SLACK) & (slack >= LEAST_SHARE * sizes) & (lengths > 0)
    empty = lengths == 0
    return {
        "empty": sums_by_type(graph, graph.types[nodes[empty]], sizes[empty]),
        "over_allocated": sums_by_type(graph, graph.types[nodes[over]], slack[over]),
    }


def _of_list(lengths: Int64) -> Int64:
    return LIST_HEAD + POINTER * lengths


def _of_set(lengths: Int64) -> Int64:
    slots = _power_of_two(lengths * 5 // 3 + 1, 8)
    return SET_HEAD + np.where(slots > 8, slots * SET_ENTRY, 0)


def _of_dict(lengths: Int64) -> Int64:
    slots = _power_of_two((lengths * 3 + 1) // 2, 8)
    width = np.select([slots <= 1 << 8, slots <= 1 << 16, slots <= 1 << 32], [1, 2, 4], 8)
    usable = slots * 2 // 3
    return DICT_HEAD + np.where(lengths > 0, DICT_KEYS_HEAD + slots * width + usable * DICT_ENTRY, 0)


def _power_of_two(values: Int64, least: int) -> Int64:
    """The next power of two that is not below."""
    at_least = np.maximum(values, least)
    found: Int64 = np.left_shift(np.int64(1), np.ceil(np.log2(at_least)).astype(np.int64))
    return found


def sums_by_type(graph: HeapGraph, types: Ints, amounts: Int64) -> list[dict[str, Any]]:
    """JSON-ready: how many objects and bytes of each type, the most bytes first."""
    counts = np.bincount(types, minlength=len(graph.type_list))
    sums = np.zeros(len(graph.type_list), np.int64)
    np.add.at(sums, types, amounts)
    found: list[dict[str, Any]] = [
        {"type": graph.type_list[number].name, "count": int(counts[number]), "bytes": int(sums[number])}
        for number in np.flatnonzero(counts).tolist()
    ]
    return sorted(found, key=lambda row: (-row["bytes"], row["type"]))[:MOST_TYPES]


def instance_dicts(graph: HeapGraph) -> list[dict[str, Any]]:
    """JSON-ready, by class: what its instances' ``__dict__`` take, and about what ``__slots__`` would save."""
    chosen = graph.kinds == Edge.DICT
    owners, dicts = graph.sources()[chosen], graph.targets[chosen]
    families = np.array([each.family for each in graph.type_list], np.int16)
    plain = families[graph.types[owners]] == Family.OTHER
    owners, dicts = owners[plain], dicts[plain]
    types = graph.types[owners]
    lengths = np.where(graph.lengths[dicts] == UNKNOWN, 0, graph.lengths[dicts]).astype(np.int64)
    rows = sums_by_type(graph, types, graph.sizes[dicts])
    saved = np.zeros(len(graph.type_list), np.int64)
    np.add.at(saved, types, np.maximum(0, graph.sizes[dicts] - POINTER * lengths))
    by_name: dict[str, int] = {}
    for number in np.flatnonzero(saved).tolist():
        name = graph.type_list[number].name
        by_name[name] = by_name.get(name, 0) + int(saved[number])
    return [{**row, "saved": by_name.get(row["type"], 0)} for row in rows]
