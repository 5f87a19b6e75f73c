"""Recordings with those they belong to."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import Q, QuerySet

from memwatch.diagnosis import mapping_growth
from memwatch.diagnosis.structure import evidence as heap_evidence
from memwatch.diagnosis.trim.verdict import Advice
from memwatch.heapdump.sizes import size_text
from memwatch.models import Command, Leak, Recording, RecordingKind
from memwatch.queries.diagnosis import trims

ARROW = " → "
MOST_OTHERS = 4


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """Empty where the recordings do not tell."""

    finding: str = ""
    """What the heap itself says: they are garbage, or lie in a cache that knows its bound."""
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
    freed: str = ""
    """How much would be free without the objects, and without their holder, as a sentence."""
    allocated_at: str = ""
    """``file:line in function``."""
    code: str = ""
    """The line."""
    advice: tuple[Advice, ...] = ()
    """What to set or do, where an allocator check says so."""
    called_from: str = ""
    """Where that is a library's: the nearest line of the program's own that leads there, ``file:line in function``."""
    caller_code: str = ""
    """The line."""


def conclude(recordings: Iterable[Recording], container: str = "") -> Conclusion:
    """Of recordings that belong together. ``container`` is the one that the leak's evidence names, if it does."""
    held: dict[str, Any] = {}
    allocated: dict[str, Any] = {}
    grown: dict[str, Any] = {}
    checked: dict[str, Any] = {}
    for recording in recordings:
        result = recording.result
        if not isinstance(result, Mapping):
            continue
        if recording.kind == RecordingKind.REFERRERS:
            held = holder_of(result) or held
        elif recording.kind == RecordingKind.HEAP_SUMMARY:
            held = held or _named(result, container)
            grown = {"finding": mapping_growth.sentence(rows(result, "mappings"))}
        elif recording.kind == RecordingKind.ALLOCATIONS and (site := site_of(result)):
            allocated = {name: str(site.get(name) or "") for name in ("code", "called_from", "caller_code")}
            allocated["allocated_at"] = place(site)
        elif recording.kind == RecordingKind.TRIM and (found := trims.verdict_of(recording)):
            checked = {"finding": found.sentence, "advice": found.advice}
    return Conclusion(**{**grown, **checked, **held, **allocated})


def holder_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a recording of referrers says about the holder, as fields of a :class:`Conclusion`; empty where nothing."""
    candidates = rows(result, "candidates")
    if not candidates:
        finding = heap_evidence.finding(result, {})
        found = {"held_by": chain_of(result), "finding": finding, "freed": freed(result, {})}
        return {name: text for name, text in found.items() if text}
    first = candidates[0]
    sure = first.get("sure") is True
    return {
        "finding": heap_evidence.finding(result, first),
        "held_by": _way(first, result),
        "sure": sure,
        "certainty": certainty(first),
        "attribute": _text(first, "attribute"),
        "your_code": _text(first, "code") if first.get("own_code") is True else "",
        "your_code_line": _text(first, "code_line") if first.get("own_code") is True else "",
        "freed": freed(result, first),
        "others": () if sure else tuple(_way(each, result) for each in candidates[1:MOST_OTHERS]),
    }


def _way(holder: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """From a name down to the holder, and on to what it holds, where that is known to be a type's instances."""
    name = _text(holder, "name") or _text(holder, "type")
    return f"{name}{ARROW}{_text(result, 'type')}" if holder.get("of") is not None else name


def freed(result: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    """``Without these objects 12.3 MB would be free, without the holder 12.8 MB.``; empty where it was not measured."""
    if result.get("retained_kb") is None:
        return ""
    of_objects = _bytes_of(result)
    if holder.get("retained_kb") is None:
        return f"Without these objects {of_objects} would be free."
    if holder.get("of") is None:
        return f"Without it {of_objects} would be free."
    return f"Without these objects {of_objects} would be free, without the holder {_bytes_of(holder)}."


def _bytes_of(row: Mapping[str, Any]) -> str:
    least = "at least " if row.get("retained_is_lower_bound") is True else ""
    return f"{least}{size_text(number(row.get('retained_kb')) * 1024)}"


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


MOST_RECORDINGS = 10


def recordings_of(leak: Leak) -> list[Recording]:
    """The newest recordings that were made of this leak, newest first."""
    rows = Recording.objects.filter(leak=leak).select_related("requested_by", "trigger", "process__service")
    found = list(rows.order_by("-pk")[:MOST_RECORDINGS])
    for recording in found:
        recording.leak = leak
    return found


SHOWN = 20


def listed() -> QuerySet[Recording]:
    """Recordings for a list: with the rows that a line names, without results."""
    rows = Recording.objects.select_related(
        "process__service", "leak__service", "leak__process__service", "requested_by", "trigger"
    )
    return rows.defer("result")


MOST_DUMPS = 50


def newest_dumps(services: Collection[int]) -> list[Recording]:
    """The newest heap dumps of these services that are done, newest first. One query."""
    rows = listed().filter(kind=RecordingKind.HEAP_DUMP, state=Recording.State.DONE, process__service__in=services)
    return list(rows.order_by("-pk")[:MOST_DUMPS])


def group_of(recording: Recording) -> list[Recording]:
    """The recording with those that it follows or that follow it, the first one first, with their results."""
    root = recording.follows_id or recording.pk
    members = Recording.objects.filter(Q(pk=root) | Q(follows=root)).select_related("process__service")
    return list(members.order_by("pk"))


def recording_of(command: Command) -> Recording | None:
    """The recording that the command asked for, without its result."""
    return Recording.objects.filter(command=command).only("pk", "kind", "state").first()


def comparable_with(recording: Recording) -> list[Recording]:
    """Others of its kind that are done, of the same service, newest first: what a difference can be taken with."""
    others = listed().filter(
        kind=recording.kind, state=Recording.State.DONE, process__service=recording.process.service_id
    )
    return list(others.exclude(pk=recording.pk).order_by("-pk")[:SHOWN])


def container_of(leak: Leak | None) -> str:
    """The container that the leak's evidence names; empty where it names none."""
    evidence = leak.evidence if leak is not None and isinstance(leak.evidence, dict) else {}
    container = evidence.get("container")
    return str(container.get("name") or "") if isinstance(container, dict) else ""


def difference_of(
    earlier: Recording, before: dict[str, Any] | None, later: Recording, after: dict[str, Any] | None
) -> dict[str, Any]:
    """What lies between two results, JSON-ready. :class:`ValueError` for recordings that cannot be compared."""
    from memwatch.diagnosis.result_diff import difference  # noqa: PLC0415 - nothing of it is loaded before it is asked for

    if earlier.kind != later.kind:
        raise ValueError(f"{earlier} and {later} are of two kinds: give two of one kind")
    if before is None or after is None:
        unready = earlier if before is None else later
        raise ValueError(f"{unready} has no result to compare: give recordings that are done, and no flame graphs")
    try:
        return difference(later.kind, before, after)
    except (AttributeError, TypeError, KeyError):
        raise ValueError(f"{earlier} or {later} has a result of another shape than its kind has") from None


def without_values(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """The result for those without the permission ``record_values``: values of objects may be personal data."""
    return None if result is None else {name: value for name, value in result.items() if name != "samples"}


def parts_received(recording: Recording) -> tuple[int, int]:
    """How many parts of its outcome have arrived, and of how many; 0 while that is not known."""
    return (recording.pieces.count(), recording.parts) if recording.parts else (0, 0)
