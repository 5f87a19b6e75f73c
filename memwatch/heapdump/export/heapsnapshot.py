"""A heap as V8 writes it, for the Memory panel of Chrome DevTools and for MemLab.

The format has one row of numbers for each node, then one for each edge, then the texts. V8's own words for kinds are
used where there is one for Python's. Garbage is left out, as V8 does; DevTools takes the first node as the root.
"""

from __future__ import annotations

import json
from typing import TextIO

import numpy as np

from memwatch.heapdump.analysis.graph import CLASS_EDGE, HeapGraph, Int32, Int64, Ints
from memwatch.heapdump.analysis.labels import edge_label, node_label
from memwatch.heapdump.analysis.reaching import reached_from, references_of
from memwatch.heapdump.format import Edge, Family

NODE_FIELDS = ("type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness")
NODE_TYPES = (
    "hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native", "synthetic",
    "concatenated string", "sliced string", "symbol", "bigint", "object shape",
)  # fmt: skip
EDGE_FIELDS = ("type", "name_or_index", "to_node")
EDGE_TYPES = ("context", "element", "property", "internal", "hidden", "shortcut", "weak")
SYNTHETIC, OBJECT = NODE_TYPES.index("synthetic"), NODE_TYPES.index("object")
_OF_FAMILY = {
    Family.STR: "string", Family.BYTES: "string", Family.BYTEARRAY: "native", Family.INT: "number",
    Family.FLOAT: "number", Family.LIST: "array", Family.TUPLE: "array", Family.FUNCTION: "closure",
    Family.METHOD: "closure", Family.CODE: "code", Family.LRU_CACHE: "closure",
}  # fmt: skip
_OF_EDGE = {Edge.INDEX: "element", Edge.CELL: "context", Edge.LOCAL: "context", Edge.WEAK: "weak"}
_INTERNAL = frozenset({Edge.OTHER, Edge.DICT, Edge.STACK, CLASS_EDGE})
ROWS = 20_000
"""Written at once."""
MOST = 2**32 - 1
"""DevTools and MemLab keep every number in 32 bits."""
ID_BITS = 30
SPREAD = 0x9E37_79B9_7F4A_7C15
"""Odd: of 64 bits, it spreads neighbours over all upper bits."""


class _Texts:
    """The table of texts; a text stands there once."""

    def __init__(self) -> None:
        self.all: list[str] = ["<dummy>"]
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Of a text, added where it is new."""
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self.all)
            self.all.append(text)
        return found


def write_heapsnapshot(graph: HeapGraph, file: TextIO) -> None:
    """Write all that a root reaches. Sizes are Python's; an address has the same id in each snapshot."""
    reached = reached_from(graph, [graph.top])
    objects = np.flatnonzero(reached[: graph.objects]).astype(np.int32)
    order = np.concatenate([[graph.top], objects]).astype(np.int32)
    place = np.full(graph.nodes, -1, np.int64)
    place[order] = np.arange(len(order)) * len(NODE_FIELDS)
    references = references_of(graph, order)
    references = references[place[graph.targets[references]] >= 0]
    sources = np.searchsorted(graph.offsets, references, side="right") - 1
    texts = _Texts()
    meta = {
        "node_fields": NODE_FIELDS,
        "node_types": [list(NODE_TYPES), "string", "number", "number", "number", "number", "number"],
        "edge_fields": EDGE_FIELDS,
        "edge_types": [list(EDGE_TYPES), "string_or_number", "node"],
        "trace_function_info_fields": [],
        "trace_node_fields": [],
        "sample_fields": [],
        "location_fields": ["object_index", "script_id", "line", "column"],
    }
    head = {"meta": meta, "node_count": len(order), "edge_count": len(references), "trace_function_count": 0}
    file.write(f'{{"snapshot":{json.dumps(head, separators=(",", ":"))},\n"nodes":[')
    _write(file, _nodes(graph, order, sources, texts))
    file.write('],\n"edges":[')
    _write(file, _edges(graph, references, sources, place, texts))
    file.write('],\n"trace_function_infos":[],\n"trace_tree":[],\n"samples":[],\n"locations":[],\n"strings":[')
    for start in range(0, len(texts.all), ROWS):
        part = json.dumps(texts.all[start : start + ROWS], separators=(",\n", ":"))[1:-1]
        file.write(("," if start else "") + part)
    file.write("]}\n")


def _write(file: TextIO, rows: Int64) -> None:
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS].ravel().tolist()
        file.write(("," if start else "") + ",".join(map(str, part)) + "\n")


def _nodes(graph: HeapGraph, order: Int32, sources: Ints, texts: _Texts) -> Int64:
    type_words = [NODE_TYPES.index(_OF_FAMILY.get(each.family, "object")) for each in graph.type_list]
    type_words[-1] = SYNTHETIC
    type_names = [texts.number(each.name) for each in graph.type_list]
    types = graph.types[order]
    names = np.array(type_names, np.int64)[types]
    named = np.fromiter({*graph.labels, *graph.roots}, np.int64)
    labels = np.full(graph.nodes, -1, np.int64)
    for node in named.tolist():
        labels[node] = texts.number(node_label(graph, node))
    labels[graph.top] = texts.number("(all roots)")
    own = labels[order]
    rows = np.zeros((len(order), len(NODE_FIELDS)), np.int64)
    rows[:, 0] = np.array(type_words)[types]
    rows[:, 1] = np.where(own >= 0, own, names)
    rows[:, 2] = np.append([1], _ids(graph.addresses[order[1:]]))
    rows[:, 3] = np.minimum(graph.sizes[order], MOST)
    rows[:, 4] = np.bincount(sources, minlength=graph.nodes)[order]
    return rows


def _ids(addresses: Ints) -> Int64:
    """Odd numbers above 1, each once; with few exceptions those of the same addresses in another snapshot."""
    spread = addresses.astype(np.uint64) * np.uint64(SPREAD) >> np.uint64(64 - ID_BITS)
    found: Int64 = spread.astype(np.int64)
    while True:
        _values, first = np.unique(found, return_index=True)
        again = np.ones(len(found), np.bool_)
        again[first] = False
        if not again.any():
            return found * 2 + 3
        found[again] = (found[again] + 1) % (1 << ID_BITS)


def _edges(graph: HeapGraph, references: Int64, sources: Ints, place: Int64, texts: _Texts) -> Int64:
    kinds, names = graph.kinds[references], graph.names[references]
    words = np.full(256, EDGE_TYPES.index("property"))
    for kind in _INTERNAL:
        words[kind] = EDGE_TYPES.index("internal")
    for kind, word in _OF_EDGE.items():
        words[kind] = EDGE_TYPES.index(word)
    words[Edge.MEMBER] = EDGE_TYPES.index("internal")
    rows = np.empty((len(references), len(EDGE_FIELDS)), np.int64)
    rows[:, 0] = words[kinds]
    # The text of a reference depends on its kind and its name alone.
    keys, first, which = np.unique(
        kinds.astype(np.int64) << 33 | (names.astype(np.int64) + 1), return_index=True, return_inverse=True
    )
    numbers = [
        texts.number(graph.name_of(int(references[at])) or edge_label(graph, int(references[at])))
        for at in first.tolist()
    ]
    rows[:, 1] = np.array(numbers or [0], np.int64)[which] if len(keys) else 0
    items = np.flatnonzero(kinds == Edge.INDEX)
    rows[items, 1] = _index_of_items(graph, references[items], sources[items])
    rows[:, 2] = place[graph.targets[references]]
    return rows


def _index_of_items(graph: HeapGraph, references: Int64, sources: Ints) -> Int64:
    """The how manieth item of its container each one is."""
    if not len(references):
        return references
    begins = np.flatnonzero(np.append(True, sources[1:] != sources[:-1]))
    counts = np.diff(np.append(begins, len(sources)))
    found: Int64 = np.arange(len(sources)) - np.repeat(begins, counts)
    return found
