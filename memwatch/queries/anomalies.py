"""Anomalies and forecasts with what their pages, the API and the metrics show."""

from __future__ import annotations

from django.db.models import QuerySet

from memwatch.models import Anomaly, Forecast, Process, Recording


def listed() -> QuerySet[Anomaly]:
    """With service, process and usual sibling."""
    return Anomaly.objects.select_related("service", "process__service", "sibling__service", "release", "dismissed_by")


def open_scores() -> list[tuple[dict[str, str], float]]:
    """Labels and highest score of the open anomalies of each slot, or of a service: no host and slot. One query."""
    found: dict[tuple[str, str, str], float] = {}
    for row in Anomaly.objects.filter(state=Anomaly.State.OPEN).select_related("service", "process__service"):
        host, slot = ("", "") if row.process is None else (row.process.host, row.process.slot)
        key = row.service.name, host, slot
        found[key] = max(row.score, found.get(key, 0.0))
    return [(dict(zip(("service", "host", "slot"), key, strict=True)), found[key]) for key in sorted(found)]


def open_count() -> int:
    return Anomaly.objects.filter(state=Anomaly.State.OPEN).count()


def recordings_of(anomaly: Anomaly) -> list[Recording]:
    """The newest of the unusual process, and after it the newest of the usual sibling."""
    rows = Recording.objects.filter(anomaly=anomaly).select_related("process__service").order_by("-pk")
    newest: dict[int, Recording] = {}
    for row in rows:
        newest.setdefault(row.process_id, row)
    return sorted(newest.values(), key=lambda row: row.process_id != anomaly.process_id)


def forecasts() -> QuerySet[Forecast]:
    """The nearest end first."""
    return Forecast.objects.select_related("process__service")


def forecast_of(process: Process) -> Forecast | None:
    return Forecast.objects.filter(kind=Forecast.Kind.PROCESS, process=process).first()
