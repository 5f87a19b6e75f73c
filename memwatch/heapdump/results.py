"""Questions to a kept analysis of a heap dump: plain JSON in, plain JSON out, without numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

VERSION = 2
"""Of the form of an analysis. Another one must be made again from the dump."""

FIELDS = ("count", "size", "retained")
MOST_ROWS = 200
MOST_PATHS = 50

Analysis = Mapping[str, Any]


def types(analysis: Analysis, search: str = "", most: int = 200) -> list[dict[str, Any]]:
    """Types whose name contains the text, those that retain most first."""
    text = search.lower()
    return [row for row in analysis["types"] if text in row["name"].lower()][:most]


def dominators(analysis: Analysis, node: int | None = None) -> dict[str, Any] | None:
    """An object (all roots where none is named) with its ``children``; ``None`` for one that is not listed.

    Objects that retain little are not listed: ``more`` adds them up, and ``groups`` says of which types most are.
    """
    tree = analysis["dominators"]
    nodes = tree["nodes"]
    found = nodes.get(str(tree["top"] if node is None else node))
    if found is None:
        return None
    children = [nodes[str(child)] for child in found["children"]]
    rows = [
        {**{key: value for key, value in child.items() if key not in ("children", "more", "groups")},
         "has_children": bool(child["children"] or child["groups"])}
        for child in children
    ]  # fmt: skip
    return {**found, "children": rows, "above": _above(nodes, found)}


def title(row: Mapping[str, Any]) -> str:
    """An object by its place, where it has one: ``shop.leaks.QUOTES: dict (1,304)``."""
    return f"{row['place']}: {row['label']}" if row["place"] else str(row["label"])


def _above(nodes: Mapping[str, Any], found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """From all roots down to the object's dominator."""
    way: list[dict[str, Any]] = []
    above = found.get("dominator")
    while above is not None and str(above) in nodes and len(way) < len(nodes):
        node = nodes[str(above)]
        way.append({name: node[name] for name in ("node", "label", "place", "retained")})
        above = node.get("dominator")
    return way[::-1]


def paths(analysis: Analysis, type_name: str) -> dict[str, Any] | None:
    """What keeps the objects of a type alive; ``None`` for a type whose paths were not looked for."""
    found: dict[str, Any] | None = analysis["paths"].get(type_name)
    return found


def kept_of_type(analysis: Analysis, type_name: str) -> dict[str, Any] | None:
    """How many objects of a type there are, what would be free without them, and by which ways they are kept.

    ``freed`` and ``groups`` as in :func:`paths`. Of a type whose paths were not looked for there are no groups, and
    ``freed`` is what single objects retain. ``None`` for a type that is not listed.
    """
    if (found := paths(analysis, type_name)) is not None:
        return found
    row = next((row for row in analysis["types"] if row["name"] == type_name), None)
    return None if row is None else {**row, "type": type_name, "freed": row["retained"], "groups": []}


def kept_by(analysis: Analysis, holder: str) -> dict[str, Any] | None:
    """The same for what a holder keeps, the objects of whatever type; without the holder ``freed`` would be free."""
    groups = [
        {**group, "type": name}
        for name, found in analysis["paths"].items()
        for group in found["groups"]
        if group["holder"] == holder
    ]
    if not groups:
        return None
    groups.sort(key=lambda group: -group["size"])
    most = groups[0]
    return {
        "type": most["type"],
        "count": most["count"],
        "size": most["size"],
        "freed": most["container_retained"],
        "groups": groups[:1],
    }


def difference(before: Analysis, after: Analysis) -> dict[str, Any]:
    """What is new in the second analysis: types, roots, and ways (by shape) in which more objects are kept."""
    return {
        "before": before["about"],
        "after": after["about"],
        "types": changes(before["types"], after["types"])[:MOST_ROWS],
        "roots": changes(before["roots"], after["roots"])[:MOST_ROWS],
        "paths": _grown_paths(before, after)[:MOST_PATHS],
    }


def _grown_paths(before: Analysis, after: Analysis) -> list[dict[str, Any]]:
    """Ways that are known of one of the two alone grew by no more than their type did."""
    found = []
    totals, totals_now = ({row["name"]: row for row in each["types"]} for each in (before, after))
    for name, paths in after["paths"].items():
        known, total, total_now = before["paths"].get(name), totals.get(name), totals_now.get(name)
        old = {group["shape"]: group for group in known["groups"]} if known else {}
        listed = sum(group["count"] for group in old.values())
        for group in paths["groups"]:
            earlier = old.get(group["shape"])
            grown = {field: group[field] - (earlier[field] if earlier else 0) for field in FIELDS}
            is_new = earlier is None
            if is_new and total and total_now and listed < total["count"]:
                is_new = False
                grown = {field: min(grown[field], total_now[field] - total[field]) for field in FIELDS}
            if grown["count"] > 0 and grown["size"] > 0:
                found.append({**group, **grown, "type": name, "is_new": is_new})
    return sorted(found, key=lambda row: (-row["retained"], -row["size"], row["type"]))


def changes(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of both tables by name, with what has changed; those that grew most first, what is equal left out."""
    old = {row["name"]: row for row in before}
    new = {row["name"]: row for row in after}
    found = []
    for name in {**new, **old}:
        row = {field: new.get(name, {}).get(field, 0) - old.get(name, {}).get(field, 0) for field in FIELDS}
        if any(row.values()):
            found.append({"name": name, **row, "is_new": name not in old, "is_gone": name not in new})
    return sorted(found, key=lambda row: (-row["retained"], -row["size"], row["name"]))


def same_process(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether addresses can be compared: one host and process, which the dumps name."""
    return all(before.get(field) is not None and before.get(field) == after.get(field) for field in ("host", "pid"))
