"""What processes report of the containers they share: the latest of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from memwatch.detection.surroundings.container import container_subject
from memwatch.models import Alert, Process
from memwatch.records.json_record import parse_time
from memwatch.records.surroundings import Surroundings

CURRENT = timedelta(minutes=12)
"""Older figures say nothing of now. A large container is looked at every ten minutes."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """A container as one of its processes has reported it."""

    host: str
    reporter: Process
    received_at: datetime
    figures: Surroundings

    def holds(self, pid: int) -> bool:
        """Whether a watched process of this host is in it."""
        return pid in self.figures.watched_pids or pid == self.reporter.pid


def containers(hosts: Iterable[str] | None = None, *, now: datetime | None = None) -> list[Container]:
    """Those with a process that is alive, on these hosts or all; the newest report first. One query."""
    rows = Process.objects.alive().filter(surroundings__isnull=False).select_related("service")
    if hosts is not None:
        rows = rows.filter(host__in=set(hosts))
    since = (now or timezone.now()) - CURRENT
    found = [each for row in rows if (each := reported_by(row)) is not None and each.received_at >= since]
    return sorted(found, key=lambda each: each.received_at, reverse=True)


def container_of(process: Process, *, now: datetime | None = None) -> Container | None:
    """The container of a process that is alive, whichever of its processes reports it; of another its own last word."""
    if not process.is_alive:
        return reported_by(process)
    return _of(process, containers([process.host], now=now))


def of_alert(alert: Alert, *, now: datetime | None = None) -> Container | None:
    """The container that an alert is about: one of its host with its limit."""
    found = containers([alert.subject.split(":")[1]], now=now) if alert.subject.count(":") >= 2 else []
    return next(
        (each for each in found if alert.subject == container_subject(each.host, each.figures.limit_mb or 0.0)), None
    )


def by_process(found: Sequence[Container], processes: Iterable[Process]) -> Mapping[int, Container]:
    """The container of each process that has one, by the process's id."""
    on_host: dict[str, list[Container]] = {}
    for each in found:
        on_host.setdefault(each.host, []).append(each)
    pairs = ((process.pk, _of(process, on_host.get(process.host, ()))) for process in processes)
    return {pk: container for pk, container in pairs if container is not None}


def _of(process: Process, on_host: Sequence[Container]) -> Container | None:
    """Its own report, else that of another process; pids repeat in pods that share the name of a host."""
    own = (each for each in on_host if each.reporter.pk == process.pk)
    return next(own, None) or next((each for each in on_host if each.holds(process.pid)), None)


def reported_by(row: Process) -> Container | None:
    """The last word of this very process; ``None`` where it has said nothing that this version can read."""
    found = read(row.surroundings)
    return None if found is None else Container(host=row.host, reporter=row, received_at=found[0], figures=found[1])


def read(stored: Any) -> tuple[datetime, Surroundings] | None:
    """A stored container and when its report came."""
    if not isinstance(stored, dict):
        return None
    try:
        return parse_time("received_at", stored.get("received_at")), Surroundings.from_dict(stored)
    except (ValueError, TypeError):
        return None
