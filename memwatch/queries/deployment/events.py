"""What happened to processes: for the markers in their charts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db.models import Q

from memwatch.models import Baseline, Leak, Process, Recording, Release

MOST_OF_A_KIND = 40


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened at one time, and the row it comes from."""

    at: datetime
    kind: str
    """``start``, ``end``, ``release``, ``baseline``, ``leak`` or ``recording``."""
    row: Process | Release | Baseline | Leak | Recording


def events(processes: Sequence[Process], *, since: datetime, until: datetime) -> list[Event]:
    """Starts, ends, releases, resets of baselines, leaks and recordings, oldest first; the newest 40 of each kind.

    The processes are of one service. Four queries.
    """
    if not processes:
        return []
    found = [Event(at=process.started_at, kind="start", row=process) for process in processes]
    found += [Event(at=process.ended_at, kind="end", row=process) for process in processes if process.ended_at]
    found += _happened([process.pk for process in processes], processes[0].service_id, since, until)
    return sorted((event for event in found if since <= event.at <= until), key=lambda event: event.at)


def events_of_service(service: int, *, since: datetime, until: datetime) -> list[Event]:
    """Releases, resets and leaks of the service as a whole, oldest first. Three queries."""
    return sorted(_happened([], service, since, until), key=lambda event: event.at)


def _happened(ids: Sequence[int], service: int, since: datetime, until: datetime) -> list[Event]:
    own = Q(process__in=ids) | Q(process=None, service=service)
    found: list[Event] = []
    releases = Release.objects.filter(service=service, first_seen_at__range=(since, until)).order_by("-first_seen_at")
    found += [Event(at=row.first_seen_at, kind="release", row=row) for row in releases[:MOST_OF_A_KIND]]
    name = get_user_model().USERNAME_FIELD
    resets = (
        Baseline.objects.filter(own, automatic=False, created_at__range=(since, until))
        .select_related("created_by")
        .only("created_at", "reason", "process_id", "service_id", f"created_by__{name}")
        .order_by("-created_at")
    )
    found += [Event(at=row.created_at, kind="baseline", row=row) for row in resets[:MOST_OF_A_KIND]]
    leaks = Leak.objects.filter(own, detected_at__range=(since, until)).defer("evidence", "verdict")
    found += [
        Event(at=row.detected_at, kind="leak", row=row) for row in leaks.order_by("-detected_at")[:MOST_OF_A_KIND]
    ]
    recordings = Recording.objects.filter(process__in=ids, requested_at__range=(since, until)).defer("result")
    found += [
        Event(at=row.requested_at, kind="recording", row=row)
        for row in recordings.order_by("-requested_at")[:MOST_OF_A_KIND]
    ]
    return found
