"""Processes and services by what they do, for commands and checks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Min, Q, QuerySet

from memwatch.models import Process, Service
from memwatch.queries.row_ids import is_id


def alive_processes(*, service: str | None = None, host: str | None = None) -> list[Process]:
    """Processes that are alive, of this service and on this host, with service and release loaded."""
    rows = Process.objects.alive().select_related("service", "release")
    if service is not None:
        rows = rows.filter(service__name=service)
    if host is not None:
        rows = rows.filter(host=host)
    return list(rows)


def alive_agents(limit: int | None = None, *, services: Collection[Service] | None = None) -> list[Process]:
    """Processes that are alive and run an agent, of these services, with the service loaded; at most ``limit``."""
    rows = Process.objects.alive().filter(outside=False).select_related("service")
    if services is not None:
        rows = rows.filter(service__in=services)
    return list(rows[:limit])


def process_with_last(pk: int) -> Process | None:
    """The process with its service and its last snapshot; ``None`` where it is gone."""
    return Process.objects.select_related("service", "last_snapshot").filter(pk=pk).first()


def processes_by_id(ids: Collection[int]) -> dict[int, Process]:
    """These processes with their service, by id; one that is gone is left out."""
    return Process.objects.select_related("service").in_bulk(ids)


def services_by_id(ids: Collection[int]) -> dict[int, Service]:
    """These services by id; one that is gone is left out."""
    return Service.objects.in_bulk(ids)


def found_by_words(
    words: Collection[str], *, service: int | None = None, process: int | None = None
) -> QuerySet[Process]:
    """Processes that each word names, by their service, host, release or pid."""
    rows = Process.objects.all()
    if service is not None:
        rows = rows.filter(service=service)
    if process is not None:
        rows = rows.filter(pk=process)
    for word in words:
        match = Q(service__name__icontains=word) | Q(host__icontains=word) | Q(release__name__icontains=word)
        rows = rows.filter(match | Q(pid=int(word)) if is_id(word) else match)
    return rows


def alive_pids(host: str) -> set[int]:
    """The pids of the processes that are alive on this host."""
    return set(Process.objects.alive().filter(host=host).values_list("pid", flat=True))


def any_ended() -> bool:
    """Whether any process has ended."""
    return Process.objects.ended().exists()


def services_of_alive() -> list[str]:
    """The name of the service of each process that is alive, sorted."""
    return list(Process.objects.alive().order_by("service__name").values_list("service__name", flat=True))


def first_seen() -> datetime | None:
    """When the first process was seen."""
    found: datetime | None = Process.objects.aggregate(first=Min("first_seen_at"))["first"]
    return found


def service_named(name: str) -> Service | None:
    """The service, or ``None``."""
    return Service.objects.filter(name=name).first()


def service_names() -> list[str]:
    """The names of all services, sorted."""
    return list(Service.objects.values_list("name", flat=True))
