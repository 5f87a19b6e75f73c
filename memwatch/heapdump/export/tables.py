"""Types as CSV, and every object as a line of JSON."""

from __future__ import annotations

import csv
import json
from typing import TextIO

from memwatch.heapdump.analysis.graph import CLASS_EDGE, UNKNOWN
from memwatch.heapdump.analysis.heap import Heap
from memwatch.heapdump.format import Edge

_KINDS = {**{int(kind): kind.name.lower() for kind in Edge}, CLASS_EDGE: "class"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell for a formula that begins so."""


def write_csv(heap: Heap, file: TextIO) -> None:
    """All types, those that retain most first."""
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["type", "module", "objects", "bytes", "retained_bytes"])
    modules = {each.name: each.module for each in heap.graph.type_list}
    for total in heap.type_totals:
        rows.writerow([_plain(total.name), _plain(modules[total.name]), total.count, total.size, total.retained])


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_json_lines(heap: Heap, file: TextIO) -> None:
    """First a line about the process, then one for each object with all its references, then one for each root."""
    graph, tree = heap.graph, heap.tree
    file.write(json.dumps({"kind": "dump", **heap.about()}) + "\n")
    for node in range(graph.objects):
        length, label = int(graph.lengths[node]), graph.labels.get(node)
        begin, end = int(graph.offsets[node]), int(graph.offsets[node + 1])
        row = {
            "kind": "object",
            "id": node,
            "type": graph.type_of(node).name,
            "size": int(graph.sizes[node]),
            "retained": int(tree.retained[node]),
            "dominator": int(tree.dominators[node]) if tree.dominators[node] not in (-1, graph.top) else None,
            "references": [
                [int(graph.targets[at]), _KINDS[int(graph.kinds[at])], graph.name_of(at)] for at in range(begin, end)
            ],
        }
        if length != UNKNOWN:
            row["length"] = length
        if label is not None:
            row["name"] = label.name
        file.write(json.dumps(row, separators=(",", ":")) + "\n")
    for node, root in graph.roots.items():
        row = {"kind": "root", "id": node, "name": root.label, "file": root.file, "line": root.line}
        file.write(json.dumps(row, separators=(",", ":")) + "\n")
