"""Leaks in order of severity, and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Case, IntegerField, Prefetch, Value, When

from memwatch.models import Leak, LeakEvent
from memwatch.records import SEVERITIES

SEVERITY_RANK = Case(
    *(When(severity=severity, then=Value(rank)) for rank, severity in enumerate(SEVERITIES)),
    default=Value(0),
    output_field=IntegerField(),
)
"""Orders by severity, not by the alphabet."""


def leaks_by_id(ids: Iterable[int]) -> dict[int, Leak]:
    """These leaks with service and process, by id; one that is gone is left out. One query."""
    rows = Leak.objects.filter(pk__in=set(ids)).select_related("service", "process__service").defer("verdict")
    return {leak.pk: leak for leak in rows}


def active_leaks_of_processes() -> list[Leak]:
    """Open and acknowledged leaks of processes: their process id, severity and type."""
    return list(Leak.objects.active().exclude(process=None).only("process_id", "severity", "object_type"))


def leak_with_events(pk: int) -> Leak:
    """The leak with service, process and events with their users; raises ``Leak.DoesNotExist``."""
    events = Prefetch("events", LeakEvent.objects.select_related("by"))
    return Leak.objects.select_related("service", "process__service").prefetch_related(events).get(pk=pk)
