"""What happened, as records for elsewhere: leaks, alerts, deaths and recycled workers, each with an id that stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from memwatch.detection.deaths import KILLED, OOM_CONTAINER
from memwatch.models import Alert, LeakEvent, Process, Recycle
from memwatch.records import MB, traces

INFO = "info"
"""The severity of what is over, or was meant."""

_Kind = LeakEvent.Kind
LEAK_EVENTS: Mapping[str, str] = {
    _Kind.DETECTED: "memwatch.leak.opened",
    _Kind.REOPENED: "memwatch.leak.reopened",
    _Kind.WORSENED: "memwatch.leak.worsened",
    _Kind.EASED: "memwatch.leak.eased",
    _Kind.ACKNOWLEDGED: "memwatch.leak.acknowledged",
    _Kind.SNOOZED: "memwatch.leak.snoozed",
    _Kind.SUPPRESSED: "memwatch.leak.suppressed",
    _Kind.RESOLVED: "memwatch.leak.closed",
}
"""Names of a leak's events by kind. Comments and new names are not sent."""
ALERT_OPENED, ALERT_ENDED = "memwatch.alert.opened", "memwatch.alert.ended"
DEATH = "memwatch.process.died"
RECYCLED, NOT_RECYCLED = "memwatch.worker.recycled", "memwatch.worker.not_recycled"
EVENT_NAMES = (*LEAK_EVENTS.values(), ALERT_OPENED, ALERT_ENDED, DEATH, RECYCLED, NOT_RECYCLED)

_BAD = (_Kind.DETECTED, _Kind.REOPENED, _Kind.WORSENED)
Value = str | int | float | bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class LoggedEvent:
    """One thing that happened."""

    id: str
    """The same in every attempt to send it, so that a receiver can drop what comes twice."""
    at: datetime
    name: str
    """One of ``EVENT_NAMES``."""
    severity: str
    """One of ``memwatch.records.SEVERITIES``, or ``INFO``."""
    text: str
    service: str
    process: Process | None
    page: tuple[str, int]
    """The page of the admin that shows it: model and id."""
    attributes: Mapping[str, Value | None]
    """Of its kind; what is ``None`` is not known."""
    trace_id: str = ""
    span_id: str = ""
    """Of the job that was running, in hexadecimal digits; both empty where there is none."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where events of one kind come from."""

    name: str
    time: str
    """The column with the time of the row, by the clock of memwatch's server."""
    rows: Callable[[], QuerySet[Any]]
    event: Callable[[Any], LoggedEvent]

    def read(self, since: datetime, until: datetime, most: int) -> list[tuple[datetime, LoggedEvent]]:
        """The oldest of that time, each with the time of its row. One query."""
        found = self.rows().filter(**{f"{self.time}__gte": since, f"{self.time}__lte": until})
        return [(getattr(row, self.time), self.event(row)) for row in found.order_by(self.time, "pk")[:most]]


_OF_PROCESS = ("process__service", "process__release")


def _leak_events() -> QuerySet[LeakEvent]:
    found = LeakEvent.objects.filter(kind__in=LEAK_EVENTS).defer("leak__evidence")
    return found.select_related("leak__service", *(f"leak__{name}" for name in _OF_PROCESS))


def _leak_event(row: LeakEvent) -> LoggedEvent:
    leak, bad = row.leak, row.kind in _BAD
    said = leak.verdict if bad and leak.verdict else f"{leak}: {row.get_kind_display()}."
    return LoggedEvent(
        id=f"leak-event-{row.pk}",
        at=row.at,
        name=LEAK_EVENTS[row.kind],
        severity=leak.severity if bad else INFO,
        text=f"{said} {row.comment}".strip(),
        service=leak.service.name,
        process=leak.process,
        page=("leak", leak.pk),
        attributes={
            "memwatch.leak.id": leak.pk,
            "memwatch.leak.kind": leak.kind,
            "memwatch.leak.severity": leak.severity,
            "memwatch.leak.confidence": leak.confidence,
            "memwatch.leak.probability": leak.probability,
            "memwatch.leak.growth_per_hour": leak.growth_per_hour,
            "memwatch.leak.time_to_exhaustion": leak.time_to_exhaustion_s,
            "memwatch.object_type": leak.object_type,
        },
    )


def _alerts() -> QuerySet[Alert]:
    return Alert.objects.select_related("service", *_OF_PROCESS)


def _alert_opened(row: Alert) -> LoggedEvent:
    return _alert(row, row.raised_at, ALERT_OPENED, row.severity, row.message)


def _alert_ended(row: Alert) -> LoggedEvent:
    return _alert(row, row.cleared_at or row.raised_at, ALERT_ENDED, INFO, f"Over: {row.message}")


def _alert(row: Alert, at: datetime, name: str, severity: str, text: str) -> LoggedEvent:
    return LoggedEvent(
        id=f"alert-{row.pk}-{name.rpartition('.')[2]}",
        at=at,
        name=name,
        severity=severity,
        text=text,
        service=row.service.name,
        process=row.process,
        page=("alert", row.pk) if row.leak_id is None else ("leak", row.leak_id),
        attributes={
            "memwatch.alert.id": row.pk,
            "memwatch.alert.type": row.type,
            "memwatch.alert.severity": row.severity,
            "memwatch.alert.value": row.worst_value if name == ALERT_ENDED else row.value,
            "memwatch.alert.threshold": row.threshold,
        },
    )


def _deaths() -> QuerySet[Process]:
    return Process.objects.ended().filter(end_reason__in=Process.DEATHS).select_related("service", "release")


def _death(row: Process) -> LoggedEvent:
    known: Mapping[str, Any] = row.end_evidence if isinstance(row.end_evidence, dict) else {}
    job = known.get("job") or {}
    span = traces.checked(job.get("span"))
    rss_mb = known.get("rss_mb")
    severity = "critical" if row.end_reason == OOM_CONTAINER else "high" if row.end_reason in KILLED else "medium"
    return LoggedEvent(
        id=f"process-{row.pk}-{row.end_reason}",
        at=row.ended_at or row.last_seen_at,
        name=DEATH,
        severity=severity,
        text=str(known.get("sentence") or f"{row}: {row.get_end_reason_display()}."),
        service=row.service.name,
        process=row,
        page=("death", row.pk),
        attributes={
            "memwatch.death.reason": row.end_reason,
            "memwatch.death.certain": known.get("certain"),
            "memwatch.death.signal": known.get("signal"),
            "memwatch.death.memory": None if rss_mb is None else round(rss_mb * MB),
            "memwatch.job.kind": job.get("kind"),
            "memwatch.job.name": job.get("name"),
            "memwatch.job.duration": job.get("seconds"),
        },
        trace_id=traces.trace_id(span),
        span_id=traces.span_id(span),
    )


def _recycles() -> QuerySet[Recycle]:
    return Recycle.objects.filter(state__in=Recycle.OVER).select_related("service", *_OF_PROCESS)


def _recycle(row: Recycle) -> LoggedEvent:
    before, gained = row.private_before_kib, row.gained_kib
    return LoggedEvent(
        id=f"recycle-{row.pk}-{row.state}",
        at=row.ended_at or row.at,
        name=RECYCLED if row.state == Recycle.State.RECYCLED else NOT_RECYCLED,
        severity="low",
        text=f"{row.name}: {row.get_state_display()}. {row.why} {row.result}".strip(),
        service=row.service.name,
        process=row.process,
        page=("recycle", row.pk),
        attributes={
            "memwatch.recycle.cause": row.because,
            "memwatch.recycle.state": row.state,
            "memwatch.recycle.memory_before": None if before is None else before * 1024,
            "memwatch.recycle.gained": None if gained is None else gained * 1024,
        },
    )


SOURCES: Sequence[Source] = (
    Source(name="leaks", time="at", rows=_leak_events, event=_leak_event),
    Source(name="alerts opened", time="raised_at", rows=_alerts, event=_alert_opened),
    Source(name="alerts ended", time="cleared_at", rows=_alerts, event=_alert_ended),
    Source(name="deaths", time="end_noted_at", rows=_deaths, event=_death),
    Source(name="recycles", time="ended_at", rows=_recycles, event=_recycle),
)
