"""What has changed between two results of a kind. Values only: dicts as ``to_dict()`` of :mod:`results` gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

_ENTRIES = re.compile(r", [\d,]+ entr(?:y|ies)")

_TABLES: Mapping[str, tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = {
    "referrers": (
        ("referrers", ("holder_type", "via"), ("count",)),
        ("chains", ("path", "root"), ("count",)),
    ),
    "allocations": (("sites", ("file", "line", "traceback"), ("size_kb", "count", "size_growth_kb_per_min")),),
    "heap_summary": (
        ("types", ("type",), ("count", "size_kb")),
        ("containers", ("type", "name"), ("length",)),
        ("modules", ("module",), ("count", "size_kb")),
        ("suspects", ("name",), ("count",)),
        ("mappings", ("name",), ("size_kb", "count")),
    ),
    "trim": (("arenas", ("number",), ("system_mb", "free_mb")),),
}
"""Of each kind: the tables, what tells their rows apart, and the figures that are compared."""
_FIGURES: Mapping[str, tuple[str, ...]] = {
    "referrers": ("instances", "retained_kb", "holder.length", "holder.retained_kb"),
    "allocations": ("seconds", "traced_mb"),
    "heap_summary": ("garbage",),
    "trim": ("rss_before_mb", "rss_after_mb", "malloc_free_mb", "pymalloc_used_mb", "pause_ms"),
}


def difference(kind: str, before: Row, after: Row) -> dict[str, Any]:
    """``{"figures": {name: {"before", "after", "change"}}, "tables": {name: [row, …]}}``.

    A chain's way keeps its place although containers on it have grown: numbers of entries are left out of the key.

    A row has what tells it apart, and each figure as ``{"before", "after", "change"}``; those that changed most come
    first, those that did not change are left out. A row of one side only counts as 0 on the other. Raises
    :class:`ValueError` for a kind that cannot be compared.
    """
    if kind not in _TABLES:
        raise ValueError(f"recordings of {kind} cannot be compared: {', '.join(_TABLES)} can")
    figures = {name: _change(_at(before, name), _at(after, name)) for name in _FIGURES[kind]}
    return {
        "figures": figures,
        "tables": {
            name: _rows(before.get(name) or (), after.get(name) or (), keys, compared)
            for name, keys, compared in _TABLES[kind]
        },
    }


def _at(result: Row, name: str) -> float:
    value: Any = result
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) else 0


def _rows(before: Any, after: Any, keys: tuple[str, ...], compared: tuple[str, ...]) -> list[dict[str, Any]]:
    old, new = _by_key(before, keys, compared), _by_key(after, keys, compared)
    rows: list[dict[str, Any]] = []
    for key in {**old, **new}:
        changes = {name: _change(old.get(key, {}).get(name, 0), new.get(key, {}).get(name, 0)) for name in compared}
        if any(change["change"] for change in changes.values()):
            told = {
                name: list(value) if isinstance(value, tuple) else value for name, value in zip(keys, key, strict=True)
            }
            rows.append({**told, **changes})
    return sorted(rows, key=lambda row: abs(row[compared[0]]["change"]), reverse=True)


def _by_key(rows: Any, keys: tuple[str, ...], compared: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, float]]:
    """Rows of the same key are added up."""
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        key = tuple(_hashable(row.get(name)) for name in keys)
        sums = found.setdefault(key, dict.fromkeys(compared, 0))
        for name in compared:
            sums[name] += _at(row, name)
    return found


def _hashable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return _ENTRIES.sub("", value) if isinstance(value, str) else value


def _change(before: float, after: float) -> dict[str, float]:
    return {"before": before, "after": after, "change": round(after - before, 3)}
