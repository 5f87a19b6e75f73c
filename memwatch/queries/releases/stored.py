"""Comparisons that were made and stored: of the newest release of each service that runs."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet

from memwatch.models import Process, Release

NEWS = timedelta(days=1)
"""So long a change is news; it stays on the page of the release."""


def running(service: str | None = None) -> list[Release]:
    """The newest release of each service among those that its processes run, by service. One query."""
    rows = _alive().select_related("service", "compared_with").order_by("service__name", "-first_seen_at", "-pk")
    if service is not None:
        rows = rows.filter(service__name=service)
    newest: dict[int, Release] = {}
    for row in rows:
        newest.setdefault(row.service_id, row)
    return list(newest.values())


def news(now: datetime) -> list[Release]:
    """Those that were found to take more memory within the last day, and still run. One query."""
    rows = _alive().filter(changed_at__gt=now - NEWS)
    return list(rows.select_related("service", "compared_with").order_by("pk"))


def _alive() -> QuerySet[Release]:
    alive = Process.objects.alive().filter(release=OuterRef("pk"), outside=False)
    return Release.objects.filter(Exists(alive))
