"""Processes and services by what they do, for commands and checks."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min

from memwatch.models import Process, Service


def alive_processes(*, service: str | None = None, host: str | None = None) -> list[Process]:
    """Processes that are alive, of this service and on this host, with service and release loaded."""
    rows = Process.objects.alive().select_related("service", "release")
    if service is not None:
        rows = rows.filter(service__name=service)
    if host is not None:
        rows = rows.filter(host=host)
    return list(rows)


def alive_agents(limit: int | None = None) -> list[Process]:
    """Processes that are alive and run an agent, with the service loaded; at most ``limit``."""
    return list(Process.objects.alive().filter(outside=False).select_related("service")[:limit])


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
