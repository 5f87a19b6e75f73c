"""Processes that followed one another: in a slot, and in a service."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from django.db.models import Q, QuerySet

from memwatch.models import Process


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """Every process that held it."""

    oldest: Process
    newest: Process
    _rows: QuerySet[Process]

    def lives(self, since: datetime, until: datetime, most: int) -> list[Process]:
        """Those that lived within this time, newest first, with service and release."""
        within = self._rows.filter(started_at__lt=until).filter(Q(ended_at=None) | Q(ended_at__gt=since))
        return list(within.order_by("-started_at", "-pk")[:most])


def slot(service: int, host: str, number: int) -> Slot | None:
    """The slot; ``None`` if no process ever held it."""
    rows = _holders(service, host, number).select_related("service", "release").order_by("started_at", "pk")
    oldest, newest = rows.first(), rows.last()
    return Slot(oldest=oldest, newest=newest, _rows=rows) if oldest and newest else None


def neighbours(process: Process) -> tuple[Process | None, Process | None]:
    """The processes before and after this one in its slot."""
    rows = _holders(process.service_id, process.host, process.slot_number)
    start, pk = process.started_at, process.pk
    before = rows.filter(Q(started_at__lt=start) | Q(started_at=start, pk__lt=pk)).order_by("-started_at", "-pk")
    after = rows.filter(Q(started_at__gt=start) | Q(started_at=start, pk__gt=pk)).order_by("started_at", "pk")
    return before.first(), after.first()


def lives_of_service(service: int, *, until: datetime, most: int) -> list[Process]:
    """The processes of the service that started last before ``until``, newest first."""
    rows = Process.objects.filter(service=service, outside=False, started_at__lte=until)
    return list(rows.select_related("service").order_by("-started_at", "-pk")[:most])


def _holders(service: int, host: str, number: int) -> QuerySet[Process]:
    return Process.objects.filter(service=service, host=host, slot_number=number)
