"""What recordings say in two sentences: who refers to it, and which line allocates it. Pure functions of results."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from memwatch.models import Recording, RecordingKind

ARROW = " → "


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """Empty where the recordings do not tell."""

    held_by: str = ""
    """The way from a name to the objects."""
    allocated_at: str = ""
    """``file:line in function``."""
    code: str = ""
    """The line."""
    called_from: str = ""
    """Where that is a library's: the nearest line of the program's own that leads there, ``file:line in function``."""
    caller_code: str = ""
    """The line."""


def conclude(recordings: Iterable[Recording], container: str = "") -> Conclusion:
    """Of recordings that belong together. ``container`` is the one that the leak's evidence names, if it does."""
    held_by = ""
    allocated: dict[str, str] = {}
    for recording in recordings:
        result = recording.result
        if not isinstance(result, Mapping):
            continue
        if recording.kind == RecordingKind.REFERRERS:
            held_by = chain_of(result) or held_by
        elif recording.kind == RecordingKind.HEAP_SUMMARY:
            held_by = held_by or _named(result, container)
        elif recording.kind == RecordingKind.ALLOCATIONS and (site := site_of(result)):
            allocated = {name: str(site.get(name) or "") for name in ("code", "called_from", "caller_code")}
            allocated["allocated_at"] = place(site)
    return Conclusion(held_by=held_by, **allocated)


def chain_of(result: Mapping[str, Any]) -> str:
    """The way that most of the sampled objects are held by, else their holder."""
    chains = sorted(rows(result, "chains"), key=lambda chain: -number(chain.get("count")))
    for chain in chains:
        path = chain.get("path")
        if isinstance(path, list) and path:
            return ARROW.join(map(str, path))
    holder = result.get("holder")
    return str(holder.get("name") or holder.get("type") or "") if isinstance(holder, Mapping) else ""


def site_of(result: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The line that allocates the type, else the one that grows most: agents name the greatest growth first."""
    sites = rows(result, "sites")
    return next((site for site in sites if site.get("of_type") is True), sites[0] if sites else None)


def place(site: Mapping[str, Any]) -> str:
    """``file:line in function``."""
    where = f"{site.get('file', '?')}:{site.get('line', '?')}"
    return f"{where} in {site['function']}" if site.get("function") else where


def _named(result: Mapping[str, Any], container: str) -> str:
    """The container that the leak's evidence names, as the heap summary saw it."""
    for row in rows(result, "containers"):
        if container and row.get("name") == container:
            return f"{container} ({row.get('type', 'container')}, {int(number(row.get('length'))):,} entries)"
    return ""


def rows(result: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list in a result, whatever an agent may have sent."""
    found = result.get(name)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def number(value: object) -> float:
    """A figure of a result; 0 where it is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
