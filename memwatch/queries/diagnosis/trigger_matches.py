"""When a trigger's condition was met: the same question for the last minutes and for the last day."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import ExpressionWrapper, F, FloatField, Max, Min, Q, QuerySet, Value
from django.db.models.functions import TruncHour

from memwatch.models import Alert, Anomaly, LeakEvent, Process, Recording, Snapshot, Trigger
from memwatch.records import KIB_PER_MB, SEVERITIES

MOST = 5_000
"""Occasions looked at; a trigger with more is too eager anyway."""
HOUR = timedelta(hours=1)

_OPENING = (LeakEvent.Kind.DETECTED, LeakEvent.Kind.REOPENED, LeakEvent.Kind.WORSENED)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """A moment at which the condition was met."""

    at: datetime
    service_id: int
    process_id: int | None
    """``None``: the whole service's, any of its processes will do."""
    leak_id: int | None = None
    anomaly_id: int | None = None
    why: str
    """In words, for the dry run."""


def occasions(trigger: Trigger, since: datetime, until: datetime) -> list[Occasion]:
    """Every occasion from ``since`` to ``until``, oldest first; of a level that is passed, one an hour and process."""
    found = _READERS[trigger.when](trigger, since, until)
    return sorted(found, key=lambda occasion: occasion.at)


def _leaks(trigger: Trigger, since: datetime, until: datetime) -> list[Occasion]:
    severe = SEVERITIES[SEVERITIES.index(trigger.severity) :]
    rows: QuerySet[Any] = LeakEvent.objects.filter(
        kind__in=_OPENING, at__gte=since, at__lte=until, leak__severity__in=severe
    )
    events = _of_services(rows, trigger, "leak__service").select_related("leak__process__service", "leak__service")
    return [
        Occasion(
            at=event.at,
            service_id=event.leak.service_id,
            process_id=event.leak.process_id,
            leak_id=event.leak_id,
            why=f"{event.leak}: {event.get_kind_display()}, {event.leak.get_severity_display()}",
        )
        for event in events.order_by("-at")[:MOST]
    ]


def _alerts(trigger: Trigger, since: datetime, until: datetime) -> list[Occasion]:
    rows: QuerySet[Any] = Alert.objects.filter(type=trigger.alert_type, raised_at__gte=since, raised_at__lte=until)
    rows = _of_services(rows, trigger, "service").select_related("leak")
    return [
        Occasion(
            at=row.raised_at,
            service_id=row.service_id,
            process_id=_process_of(row),
            leak_id=row.leak_id,
            why=row.message[:200],
        )
        for row in rows.order_by("-raised_at")[:MOST]
    ]


def _process_of(alert: Alert) -> int | None:
    """The one to record; of a process that was killed, none: any of its service will do."""
    if alert.type == Alert.Type.PROCESS_KILLED:
        return None
    return alert.process_id if alert.leak is None else alert.leak.process_id


def _over(trigger: Trigger, since: datetime, until: datetime) -> list[Occasion]:
    """Snapshots over the level: the first of each hour and process, and the hour's greatest figure."""
    level, heap = trigger.level or 0.0, trigger.when == Trigger.When.HEAP
    rows = Snapshot.objects.filter(timestamp__gte=since, timestamp__lte=until, process__outside=False)
    if heap:
        allowed = ExpressionWrapper(F("heap_limit_kib") * Value(level / 100), output_field=FloatField())
        over = rows.filter(heap_limit_kib__gt=0, heap_used_kib__gt=allowed)
    else:
        over = rows.filter(rss_kib__gt=level * KIB_PER_MB)
    hours = (
        _of_services(over, trigger, "process__service")
        .order_by()
        .annotate(hour=TruncHour("timestamp"))
        .values_list("process", "process__service", "hour")
        .annotate(Min("timestamp"), Max("heap_used_kib" if heap else "rss_kib"))
    )
    unit, figure = ("% of its limit", "heap") if heap else (" MB", "resident memory")
    return [
        Occasion(
            at=first,
            service_id=service,
            process_id=process,
            why=f"{figure} over {level:g}{unit}: up to {(greatest or 0) / KIB_PER_MB:,.0f} MB",
        )
        for process, service, _hour, first, greatest in hours[:MOST]
    ]


def _growth(trigger: Trigger, since: datetime, until: datetime) -> list[Occasion]:
    """The least resident memory of an hour against that of the hour before; hours end with ``until``."""
    level = trigger.level or 0.0
    floors: dict[int, dict[tuple[int, int], int]] = {}
    hours = max(1, -((since - until) // HOUR))
    for number in range(hours + 1):
        end = until - number * HOUR
        rows = Snapshot.objects.filter(timestamp__gt=end - HOUR, timestamp__lte=end, process__outside=False)
        found = _of_services(rows, trigger, "process__service").order_by().values_list("process", "process__service")
        floors[number] = {(pk, service): least for pk, service, least in found.annotate(Min("rss_kib"))[:MOST] if least}
    occasions_found = []
    for number in range(hours):
        for (process, service), least in floors[number].items():
            before = floors[number + 1].get((process, service))
            if before is None or (least - before) * 100 <= level * before:
                continue
            percent = (least - before) * 100 / before
            occasions_found.append(
                Occasion(
                    at=until - number * HOUR,
                    service_id=service,
                    process_id=process,
                    why=f"its memory's floor grew by {percent:.0f} % in an hour, to {least / KIB_PER_MB:,.0f} MB",
                )
            )
    return occasions_found


def _anomalies(trigger: Trigger, since: datetime, until: datetime) -> list[Occasion]:
    rows = Anomaly.objects.filter(kind=Anomaly.Kind.SIBLINGS, detected_at__gte=since, detected_at__lte=until)
    rows = _of_services(rows, trigger, "service")
    return [
        Occasion(
            at=row.detected_at, service_id=row.service_id, process_id=row.process_id, anomaly_id=row.pk, why=row.says
        )
        for row in rows.order_by("-detected_at")[:MOST]
    ]


def _of_services(rows: QuerySet[Any], trigger: Trigger, path: str) -> QuerySet[Any]:
    chosen = list(trigger.services.values_list("pk", flat=True))
    return rows.filter(**{f"{path}__in": chosen}) if chosen else rows


_READERS: Mapping[str, Callable[[Trigger, datetime, datetime], list[Occasion]]] = {
    Trigger.When.LEAK: _leaks,
    Trigger.When.RSS: _over,
    Trigger.When.HEAP: _over,
    Trigger.When.GROWTH: _growth,
    Trigger.When.ALERT: _alerts,
    Trigger.When.ANOMALY: _anomalies,
}


def healthy_workers(service_id: int, now: datetime) -> QuerySet[Process]:
    """Processes of a service that are alive, heard of, have an agent and are not being recorded."""
    rows = Process.objects.alive().filter(service=service_id, outside=False, lease_expires_at__gt=now)
    return rows.exclude(pk__in=Recording.objects.pending().values("process"))


def workers_at(service_id: int, moment: datetime) -> QuerySet[Process]:
    """The processes with an agent that a service had then."""
    rows = Process.objects.filter(service=service_id, outside=False, started_at__lte=moment)
    return rows.filter(Q(ended_at=None) | Q(ended_at__gt=moment))
