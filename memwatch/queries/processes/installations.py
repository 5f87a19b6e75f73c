"""The distributions of processes, services and releases."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from django.db.models import QuerySet

from memwatch.models import Installation, Process, Release
from memwatch.records.distributions import Distribution


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """What some processes of a service run with."""

    service_id: int
    service: str
    processes: frozenset[int]
    """Their ids."""
    python: str
    """Its version; empty where it is not known."""
    distributions: tuple[Distribution, ...]
    """By name."""


def distributions_of(process: Process) -> list[Distribution]:
    """What a process can import from, by name; ``[]`` where it has not reported it. One query."""
    row = Installation.objects.filter(pk=process.installation_id).first() if process.installation_id else None
    return [] if row is None else _distributions(row)


def versions_of_release(release: Release) -> dict[str, tuple[str, ...]]:
    """The versions of each distribution that processes of the release have had, by name: nearly always one each.

    ``{}`` where none of them has reported any. One query, whatever the number of processes.
    """
    found: dict[str, set[str]] = {}
    used = Process.objects.filter(release=release, installation__isnull=False).order_by()
    for row in Installation.objects.filter(pk__in=used.values("installation")):
        for name, version in row.versions.items():
            found.setdefault(name, set()).add(version)
    return {name: tuple(sorted(versions)) for name, versions in sorted(found.items())}


def installed(processes: QuerySet[Process]) -> list[Installed]:
    """Each different installation of these processes, with each Python that it is used with. Two queries."""
    used = processes.filter(installation__isnull=False).order_by("service__name", "python", "pk")
    groups: dict[tuple[int, str], set[int]] = {}
    for pk, installation, python in used.values_list("pk", "installation", "python"):
        if installation is not None:
            groups.setdefault((installation, python), set()).add(pk)
    keys = {installation for installation, _python in groups}
    rows = {row.pk: row for row in Installation.objects.filter(pk__in=keys).select_related("service")}
    return [
        Installed(
            service_id=rows[installation].service_id,
            service=rows[installation].service.name,
            processes=frozenset(pks),
            python=python,
            distributions=tuple(_distributions(rows[installation])),
        )
        for (installation, python), pks in groups.items()
        if installation in rows
    ]


def _distributions(row: Installation) -> list[Distribution]:
    imported = frozenset(_texts(row.imported))
    return [Distribution(name, str(version), name in imported) for name, version in sorted(row.versions.items())]


def _texts(values: object) -> Iterable[str]:
    return [each for each in values if isinstance(each, str)] if isinstance(values, list) else []
