"""Known causes, of this site and as the processes that are watched show them: versions, command lines, summaries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from memwatch.known_causes import site as known_causes
from memwatch.known_causes.site import Cause
from memwatch.models import Process, Recording
from memwatch.queries.diagnosis.recordings import number, rows
from memwatch.queries.processes.installations import installed

MOST = 500
MOST_SUMMARIES = 200


def all_causes() -> list[Cause]:
    """Of this site's settings and classes, and of every process that is alive; each thing once."""
    found: dict[tuple[str, str, str], Cause] = {}
    for cause in (
        *known_causes.of_the_code(),
        *known_causes.of_the_settings(settings),
        *_of_processes(),
        *_of_releases(),
        *_of_summaries(),
    ):
        found.setdefault((cause.key, cause.where, cause.what), cause)
    return sorted(found.values(), key=lambda cause: (cause.key, cause.where))


def _of_processes() -> Iterator[Cause]:
    alive = Process.objects.alive().filter(outside=False).select_related("service").order_by("service__name", "pk")
    for process in alive[:MOST]:
        where = str(process.service)
        yield from known_causes.recycling(where, process.command_line)
        yield from known_causes.unfrozen(where, process.program, process.command_line)


def _of_releases() -> Iterator[Cause]:
    alive = Process.objects.alive().filter(outside=False)
    for service, python in alive.order_by().values_list("service__name", "python").distinct():
        yield from known_causes.interpreter(python, service)
    for each in installed(alive):
        yield from known_causes.packages([one for one in each.distributions if one.imported], each.python, each.service)


def _of_summaries() -> Iterator[Cause]:
    done = Recording.objects.filter(
        kind=Recording.Kind.HEAP_SUMMARY, state=Recording.State.DONE, result__isnull=False, process__ended_at=None
    )
    by_process: dict[int, tuple[str, list[list[tuple[str, int]]]]] = {}
    for recording in done.select_related("process__service").order_by("-pk")[:MOST_SUMMARIES]:
        _where, summaries = by_process.setdefault(recording.process_id, (str(recording.process), []))
        summaries.insert(0, _suspects(recording.result))
    for where, summaries in by_process.values():
        yield from known_causes.growing_suspects(where, summaries)


def _suspects(result: Any) -> list[tuple[str, int]]:
    found = rows(result, "suspects") if isinstance(result, dict) else []
    return [(str(row.get("name", "")), int(number(row.get("count")))) for row in found]
