"""What the heap dumps of a service say of its leaks: what keeps the objects alive, and what would be free without."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from memwatch.heapdump import results
from memwatch.models import Leak, Recording
from memwatch.queries.diagnosis.recordings import container_of, newest_dumps
from memwatch.services.recordings import heap_analyses, requests

MOST_HOLDERS = 5
MOST_TRIED = 3
"""Dumps looked at for a leak, its own process's first."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LeakHeap:
    """What one dump says of one leak. Sizes are in bytes."""

    recording: Recording
    type: str
    count: int
    size: int
    """Of the objects alone."""
    freed: int
    """What would be free without them; for untracked objects: without their container."""
    holders: tuple[Mapping[str, Any], ...]
    """As :func:`memwatch.heapdump.results.paths` has its groups, those that retain most first."""


def heaps_of(leaks: Iterable[Leak], user: Any = None) -> dict[int, LeakHeap]:
    """By the leak's id, as far as there are dumps with a kept analysis. One query, however many leaks.

    ``user``: only dumps that this user may read; without one, all without names of keys.
    """
    wanted = [leak for leak in leaks if leak.kind != Leak.Kind.NATIVE]
    if not wanted or (user is not None and not requests.may_dump(user)):
        return {}
    dumps = [dump for dump in newest_dumps({leak.service_id for leak in wanted}) if _may_read(user, dump)]
    analyses: dict[int, dict[str, Any] | None] = {}
    found = {leak.pk: _heap_of(leak, dumps, analyses) for leak in wanted}
    return {key: heap for key, heap in found.items() if heap is not None}


def _may_read(user: Any, dump: Recording) -> bool:
    return not dump.options.get("keys") if user is None else requests.may_read(user, dump)


def _heap_of(leak: Leak, dumps: list[Recording], analyses: dict[int, dict[str, Any] | None]) -> LeakHeap | None:
    of_service = [dump for dump in dumps if dump.process.service_id == leak.service_id]
    of_service.sort(key=lambda dump: (dump.process_id != leak.process_id, -dump.pk))
    for dump in of_service[:MOST_TRIED]:
        if dump.pk not in analyses:
            analyses[dump.pk] = heap_analyses.kept(dump)
        analysis = analyses[dump.pk]
        kept = None if analysis is None else _kept(leak, analysis)
        if kept is not None:
            return LeakHeap(
                recording=dump,
                type=kept["type"],
                count=kept["count"],
                size=kept["size"],
                freed=kept["freed"],
                holders=tuple(kept["groups"][:MOST_HOLDERS]),
            )
    return None


def _kept(leak: Leak, analysis: dict[str, Any]) -> dict[str, Any] | None:
    if leak.kind == Leak.Kind.OBJECTS:
        return results.kept_of_type(analysis, leak.object_type)
    container = container_of(leak)
    return results.kept_by(analysis, container) if container else None
