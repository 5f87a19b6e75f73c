"""Recordings with those they belong to."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from memwatch.models import Leak, Recording

SHOWN = 20


def listed() -> QuerySet[Recording]:
    """Recordings for a list: with the rows that a line names, without results."""
    rows = Recording.objects.select_related(
        "process__service", "leak__service", "leak__process__service", "requested_by", "trigger"
    )
    return rows.defer("result")


def group_of(recording: Recording) -> list[Recording]:
    """The recording with those that it follows or that follow it, the first one first, with their results."""
    root = recording.follows_id or recording.pk
    members = Recording.objects.filter(Q(pk=root) | Q(follows=root)).select_related("process__service")
    return list(members.order_by("pk"))


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
