"""One release against another, and which one it is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count, Q

from memwatch.detection.releases.comparison import LEAST_PROCESSES, changes, package_changes, type_changes
from memwatch.detection.releases.figures import BIRTH
from memwatch.detection.releases.imports import Imported, explanation
from memwatch.detection.releases.result import AGE, Comparison
from memwatch.models import Installation, Process, Release
from memwatch.queries.processes.installations import versions_of_release
from memwatch.queries.releases.peaks import peaks
from memwatch.queries.releases.sides import sides
from memwatch.queries.row_ids import is_id

MOST_ROWS = 20
"""Of types, packages and names of work."""
MOST_BEFORE = 20
"""Releases among which the one before is chosen."""


def compare(before: Release, after: Release, now: datetime) -> Comparison:
    """Load both with their service. They may be of different services: one may have got another name."""
    old, new, at = sides(before, after, now)
    span_h = at.value / 3600 if at is not None and at.axis == AGE else None
    figures = {change.name: change for change in changes(old.samples, new.samples, span_h)}
    work, at_once = peaks(before, after, now, MOST_ROWS)
    return Comparison(
        before=old,
        after=new,
        figures=figures,
        at=at,
        types=type_changes(old.types, new.types, MOST_ROWS),
        packages=package_changes(old.types, new.types, MOST_ROWS),
        imports=explanation(
            imported(before), imported(after), (versions_of_release(before), versions_of_release(after)),
            figures[BIRTH].shift,
        ),
        peaks=work,
        at_once=at_once,
    )  # fmt: skip


def imported(release: Release) -> dict[str, Imported]:
    """The packages that a process of the release has imported, as a mean; ``{}`` where none has reported them."""
    used = Process.objects.filter(release=release, installation__isnull=False).order_by().values("installation")
    modules: dict[str, int] = {}
    owners: dict[str, str] = {}
    reports = 0
    for packages, count in Installation.objects.filter(pk__in=used).values_list("packages", "reports"):
        reports += count
        for name, (distribution, number) in packages.items():
            modules[name] = modules.get(name, 0) + number
            owners[name] = distribution or owners.get(name, "")
    return {name: Imported(number / reports, owners[name]) for name, number in modules.items()} if reports else {}


def release_before(release: Release) -> Release | None:
    """The newest earlier one of the service that enough processes ran, else the newest that any ran."""
    earlier = Release.objects.filter(service=release.service_id).filter(
        Q(first_seen_at__lt=release.first_seen_at) | Q(first_seen_at=release.first_seen_at, pk__lt=release.pk)
    )
    found = list(earlier.select_related("service").order_by("-first_seen_at", "-pk")[:MOST_BEFORE])
    ran = Process.objects.filter(release__in=[each.pk for each in found], outside=False).order_by()
    counts = dict(ran.values_list("release").annotate(Count("pk")))
    return _first(found, counts, LEAST_PROCESSES) or _first(found, counts, 1)


def _first(releases: Iterable[Release], counts: dict[int | None, int], least: int) -> Release | None:
    return next((each for each in releases if counts.get(each.pk, 0) >= least), None)


def named(service: str, name: str) -> Release | None:
    """The release of the service with this name."""
    return Release.objects.select_related("service").filter(service__name=service, name=name).first()


def release_of_service(service: int, pk: str) -> Release | None:
    """The release with this id, if it is one of the service."""
    return Release.objects.select_related("service").filter(service=service, pk=int(pk)).first() if is_id(pk) else None


def newest_running(service: str) -> Release | None:
    """The newest release of the service that a process runs; else the newest."""
    rows = Release.objects.select_related("service").filter(service__name=service).order_by("-first_seen_at", "-pk")
    running = Process.objects.alive().filter(service__name=service, outside=False).order_by().values("release")
    return rows.filter(pk__in=running).first() or rows.first()
