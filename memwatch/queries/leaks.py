"""Leaks in order of severity, and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase

from django.db.models import Case, IntegerField, Prefetch, Q, QuerySet, Value, When

from memwatch.models import ExpectedGrowth, Leak, LeakEvent, Process
from memwatch.records import SEVERITIES

SEVERITY_RANK = Case(
    *(When(severity=severity, then=Value(rank)) for rank, severity in enumerate(SEVERITIES)),
    default=Value(0),
    output_field=IntegerField(),
)
"""Orders by severity, not by the alphabet."""
MOST_BESIDE = 8


def leaks_by_id(ids: Iterable[int]) -> dict[int, Leak]:
    """These leaks with service and process, by id; one that is gone is left out. One query."""
    rows = Leak.objects.filter(pk__in=set(ids)).select_related("service", "process__service").defer("verdict")
    return {leak.pk: leak for leak in rows}


def active_leaks_of_processes() -> list[Leak]:
    """Open and acknowledged leaks of processes: their process id, severity and type."""
    return list(Leak.objects.active().exclude(process=None).only("process_id", "severity", "kind", "object_type"))


def active_by_type(service: int, names: Iterable[str]) -> dict[str, Leak]:
    """An open or acknowledged leak of the service for each of these types that has one: the worst. One query."""
    rows = Leak.objects.active().filter(service=service, kind=Leak.Kind.OBJECTS, object_type__in=set(names))
    return {leak.object_type: leak for leak in rows.defer("evidence", "verdict").order_by(SEVERITY_RANK)}


def leak_with_events(pk: int) -> Leak:
    """The leak with service, process and events with their users; raises ``Leak.DoesNotExist``."""
    events = Prefetch("events", LeakEvent.objects.select_related("by"))
    return Leak.objects.select_related("service", "process__service").prefetch_related(events).get(pk=pk)


def leaking_processes() -> QuerySet[Leak, int | None]:
    """The ids of processes with an open or acknowledged leak, for a subquery."""
    return Leak.objects.active().exclude(process=None).values_list("process", flat=True)


def unresolved_of(process: Process) -> QuerySet[Leak]:
    """The leaks of the process that are not over, with service and process."""
    return Leak.objects.unresolved().filter(process=process).select_related("service", "process__service")


def leaks_beside(leak: Leak) -> list[Leak]:
    """The other leaks of its process that are not over, those that grow most like it first; none without a process."""
    if leak.process_id is None:
        return []
    rows = Leak.objects.unresolved().filter(process=leak.process_id).exclude(pk=leak.pk).defer("evidence", "verdict")
    own = leak.growth_count
    return sorted(rows, key=lambda each: (each.kind != leak.kind, abs(each.growth_count - own), each.pk))[:MOST_BESIDE]


def leaks_of_type(name: str, most: int) -> list[Leak]:
    """Leaks of objects of this type, newest first, with service and process."""
    return _newest(Leak.objects.filter(kind=Leak.Kind.OBJECTS, object_type=name), most)


def suppressed_by(rule: ExpectedGrowth, most: int) -> list[Leak]:
    """The leaks that the rule suppresses now, newest first, with service and process."""
    return _newest(Leak.objects.filter(expected_growth=rule, state=Leak.State.SUPPRESSED), most)


def expected_growth_of(name: str, now: datetime) -> list[ExpectedGrowth]:
    """The rules in force whose pattern matches the type."""
    rules = ExpectedGrowth.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now)).select_related("service")
    return [rule for rule in rules if fnmatchcase(name, rule.type_pattern)]


def newest_events(leak: Leak, most: int) -> list[LeakEvent]:
    """What happened to it, newest first, with who did it."""
    return list(LeakEvent.objects.filter(leak=leak).select_related("by").order_by("-at", "-id")[:most])


def _newest(leaks: QuerySet[Leak], most: int) -> list[Leak]:
    return list(leaks.select_related("service", "process__service").order_by("-detected_at")[:most])
