"""The tables of a report, apart from how they are printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from memwatch.heapdump.sizes import change_text, count_text, size_text

MOST_ROWS = 25
MOST_GROUPS = 5

Row = tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table with its title; ``numbers`` are the columns that are set to the right."""

    title: str
    heads: Row
    rows: Sequence[Row]
    numbers: frozenset[int] = frozenset()
    summary: str = ""
    """What it comes to."""
    note: str = ""


def title(about: Mapping[str, Any]) -> str:
    """E.g. ``Heap of web (process 4711 on node-2)``."""
    service = about.get("service") or about.get("program") or "a Python process"
    where = f"process {about['pid']}" if about.get("pid") else ""
    host = f"on {about['host']}" if about.get("host") else ""
    place = " ".join(filter(None, (where, host)))
    return f"Heap of {service}" + (f" ({place})" if place else "")


def facts(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels and values."""
    found = [
        ("Time", _time(about.get("at"))),
        ("Python", str(about.get("python") or "")),
        ("Objects", f"{about['objects']:,}, {size_text(about['bytes'])}"),
        ("References", f"{about['references']:,}"),
        ("Reached from roots", f"{about['reached_objects']:,} objects, {size_text(about['reached_bytes'])}"),
    ]
    if about.get("complete") is False:
        found.append(("Not complete", str(about.get("note") or "the dump ended before the last object")))
    return [(label, value) for label, value in found if value]


def _time(at: Any) -> str:
    if not isinstance(at, int | float) or not 0 < at < 1e11:
        return ""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """Those that have a row."""
    for made in (
        _totals("Types", result["types"]),
        _totals("Packages", result["packages"]),
        _totals("Roots", result["roots"]),
        *_duplicates(result["duplicates"]),
        *_containers(result["containers"]),
        *_held(result["held"]),
    ):
        if made.rows:
            yield made


def _totals(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        title=name,
        heads=("Name", "Objects", "Size", "Retained"),
        rows=[
            (row["name"], f"{row['count']:,}", size_text(row["size"]), size_text(row["retained"]))
            for row in rows[:MOST_ROWS]
        ],
        numbers=frozenset({1, 2, 3}),
        note=f"{len(rows) - MOST_ROWS:,} more" if len(rows) > MOST_ROWS else "",
    )


def _duplicates(duplicates: Mapping[str, Any]) -> Iterator[Table]:
    yield Table(
        title="Equal texts",
        heads=("Type", "Length", "Objects", "Would save", "Holder"),
        rows=[
            (row["type"], f"{row['length']:,}", f"{row['count']:,}", size_text(row["saved"]), row["holder"])
            for row in duplicates["groups"]
        ],
        numbers=frozenset({1, 2, 3}),
        summary=f"One object for each text would save {size_text(duplicates['saved'])}",
    )


def _containers(containers: Mapping[str, Any]) -> Iterator[Table]:
    for key, name in (("empty", "Empty containers"), ("over_allocated", "Over-allocated containers")):
        yield Table(
            title=name,
            heads=("Type", "Objects", "Bytes"),
            rows=[(row["type"], f"{row['count']:,}", size_text(row["bytes"])) for row in containers[key][:MOST_ROWS]],
            numbers=frozenset({1, 2}),
        )
    yield Table(
        title="__dict__ of instances",
        heads=("Type", "Objects", "Bytes", "__slots__ would save"),
        rows=[
            (row["type"], f"{row['count']:,}", size_text(row["bytes"]), size_text(row["saved"]))
            for row in containers["instance_dicts"][:MOST_ROWS]
        ],
        numbers=frozenset({1, 2, 3}),
    )


def _held(held: Mapping[str, Any]) -> Iterator[Table]:
    yield Table(
        title="Kept only by",
        heads=("Holders", "Number", "Objects", "Bytes"),
        rows=[
            (name, f"{row['holders']:,}", f"{row['objects']:,}", size_text(row["bytes"]))
            for name, row in held["only_by"].items()
            if row["bytes"]
        ],
        numbers=frozenset({1, 2, 3}),
    )
    yield Table(
        title="lru_cache",
        heads=("Function", "Place", "Objects", "Retained"),
        rows=[
            (
                row["function"],
                f"{row['file']}:{row['line']}" if row["file"] else "",
                f"{row['objects']:,}",
                size_text(row["retained"]),
            )
            for row in held["caches"]
        ],
        numbers=frozenset({2, 3}),
    )
    garbage = held["garbage"]
    sizes = f"{count_text(garbage['count'], 'object')} ({size_text(garbage['bytes'])})"
    yield Table(
        title="Garbage",
        heads=("Type", "Objects", "Bytes"),
        rows=[(row["type"], f"{row['count']:,}", size_text(row["bytes"])) for row in garbage["types"][:MOST_ROWS]],
        numbers=frozenset({1, 2}),
        summary=f"{sizes} wait for the garbage collector",
    )


def change_tables(difference: Mapping[str, Any]) -> Iterator[Table]:
    """Types and roots that grew or shrank."""
    for key, name in (("types", "Types"), ("roots", "Roots")):
        rows = difference[key]
        if rows:
            yield Table(
                title=name,
                heads=("Name", "Objects", "Size", "Retained", ""),
                rows=[
                    (
                        row["name"],
                        f"{row['count']:+,}" if row["count"] else "0",
                        change_text(row["size"]),
                        change_text(row["retained"]),
                        "new" if row["is_new"] else "gone" if row["is_gone"] else "",
                    )
                    for row in rows[:MOST_ROWS]
                ],
                numbers=frozenset({1, 2, 3}),
                note=f"{len(rows) - MOST_ROWS:,} more" if len(rows) > MOST_ROWS else "",
            )


def group_line(group: Mapping[str, Any]) -> str:
    """One line for a way in which objects are kept."""
    origin = "" if group["own"] else " (library)"
    return f"{count_text(group['count'], 'object')}, {size_text(group['retained'])} retained: {group['holder']}{origin}"


def step_line(step: Mapping[str, Any]) -> str:
    """One line for an object of a path."""
    return f"{step['via']} → {step['label']}"
