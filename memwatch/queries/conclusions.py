"""What recordings say: who holds it, how sure that is, in which line, and which line allocates it. Pure functions.

The one place where it is worked out: the page of a leak, that of a recording and the API all ask here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from memwatch.models import Recording, RecordingKind

ARROW = " → "
MOST_OTHERS = 4


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """Empty where the recordings do not tell."""

    held_by: str = ""
    """The way from a name to the objects."""
    sure: bool | None = None
    """Whether the holder holds most of the new objects and has grown by them; ``None`` where that was not measured."""
    certainty: str = ""
    """That in figures: ``holds 97 of 100 new ones; gains 1.0 entries with each request``."""
    attribute: str = ""
    """The holder by the name that the program's own code has for it: ``AuditTrail.trail``."""
    your_code: str = ""
    """``file:line`` where the program's own code adds to it."""
    your_code_line: str = ""
    """The line."""
    others: tuple[str, ...] = ()
    """What else may hold it, where that is not sure."""
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
    held: dict[str, Any] = {}
    allocated: dict[str, Any] = {}
    for recording in recordings:
        result = recording.result
        if not isinstance(result, Mapping):
            continue
        if recording.kind == RecordingKind.REFERRERS:
            held = holder_of(result) or held
        elif recording.kind == RecordingKind.HEAP_SUMMARY:
            held = held or _named(result, container)
        elif recording.kind == RecordingKind.ALLOCATIONS and (site := site_of(result)):
            allocated = {name: str(site.get(name) or "") for name in ("code", "called_from", "caller_code")}
            allocated["allocated_at"] = place(site)
    return Conclusion(**held, **allocated)


def holder_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a recording of referrers tells of the holder, as fields of a :class:`Conclusion`; empty where nothing."""
    candidates = rows(result, "candidates")
    if not candidates:
        found = chain_of(result)
        return {"held_by": found} if found else {}
    first = candidates[0]
    sure = first.get("sure") is True
    return {
        "held_by": _way(first, result),
        "sure": sure,
        "certainty": certainty(first),
        "attribute": _text(first, "attribute"),
        "your_code": _text(first, "code") if first.get("own_code") is True else "",
        "your_code_line": _text(first, "code_line") if first.get("own_code") is True else "",
        "others": () if sure else tuple(_way(each, result) for each in candidates[1:MOST_OTHERS]),
    }


def _way(holder: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """From a name down to the holder, and on to what it holds, where that is known to be a type's instances."""
    name = _text(holder, "name") or _text(holder, "type")
    return f"{name}{ARROW}{_text(result, 'type')}" if holder.get("of") is not None else name


def certainty(holder: Mapping[str, Any]) -> str:
    """How much of what is new it holds, and how it grows, in words; empty where neither was measured."""
    said = []
    if holder.get("of") is not None:
        came = "new ones" if holder.get("grew") is not None else "examined"
        said.append(f"holds {int(number(holder.get('holds'))):,} of {int(number(holder.get('of'))):,} {came}")
    if _text(holder, "code") and holder.get("own_code") is not True:
        said.append(f"added to by a library at {_text(holder, 'code')}")
    call = _text(holder, "call")
    if holder.get("grew") == 0:
        said.append("has not grown between two looks")
    elif call and holder.get("grows_per_call") is not None:
        said.append(f"gains {number(holder.get('grows_per_call')):.1f} entries with each {call}")
    elif holder.get("grew") is not None:
        said.append(f"gained {int(number(holder.get('grew'))):,} entries between two looks")
    return "; ".join(said)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


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


def _named(result: Mapping[str, Any], container: str) -> dict[str, Any]:
    """The container that the leak's evidence names, as the heap summary saw it."""
    for row in rows(result, "containers"):
        if container and row.get("name") == container:
            length = int(number(row.get("length")))
            return {"held_by": f"{container} ({row.get('type', 'container')}, {length:,} entries)"}
    return {}


def rows(result: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list in a result, whatever an agent may have sent."""
    found = result.get(name)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def number(value: object) -> float:
    """A figure of a result; 0 where it is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
