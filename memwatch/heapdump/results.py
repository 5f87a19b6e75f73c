"""Questions to a kept analysis of a heap dump: plain JSON in, plain JSON out, without numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VERSION = 1
"""Of the form of an analysis. Another one must be made again from the dump."""

Analysis = Mapping[str, Any]


def types(analysis: Analysis, search: str = "", most: int = 200) -> list[dict[str, Any]]:
    """Types whose name contains the text, those that retain most first."""
    text = search.lower()
    return [row for row in analysis["types"] if text in row["name"].lower()][:most]


def dominators(analysis: Analysis, node: int | None = None) -> dict[str, Any] | None:
    """An object (all roots where none is named) with its ``children``; ``None`` for one that is not listed.

    Objects that retain little are not listed: ``more`` adds them up.
    """
    tree = analysis["dominators"]
    nodes = tree["nodes"]
    found = nodes.get(str(tree["top"] if node is None else node))
    if found is None:
        return None
    children = [nodes[str(child)] for child in found["children"]]
    rows = [
        {**{key: value for key, value in child.items() if key not in ("children", "more")},
         "has_children": bool(child["children"])}
        for child in children
    ]  # fmt: skip
    return {**found, "children": rows, "above": _above(nodes, found)}


def _above(nodes: Mapping[str, Any], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """From all roots down to the object's dominator."""
    way: list[dict[str, Any]] = []
    above = found.get("dominator")
    while above is not None and str(above) in nodes and len(way) < len(nodes):
        node = nodes[str(above)]
        way.append({"node": node["node"], "label": node["label"], "retained": node["retained"]})
        above = node.get("dominator")
    return way[::-1]


def paths(analysis: Analysis, type_name: str) -> dict[str, Any] | None:
    """What keeps the objects of a type alive; ``None`` for a type whose paths were not looked for."""
    found: dict[str, Any] | None = analysis["paths"].get(type_name)
    return found
