"""Releases of a service: who ran them, and where leaks were found."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet

from memwatch.models import Leak, Process, Release

MOST_RELEASES = 8


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class InRelease:
    """Leaks in the processes of one release of the service."""

    pk: int
    name: str
    first_seen_at: datetime
    processes: int
    """That ran it and are still known."""
    leaking: int
    """Those among them that had such a leak."""
    since: datetime | None
    """When the first of them was found to leak."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseState:
    """Who runs a release, and what leaks in it. Counts are of what is still known."""

    alive: int
    processes: int
    leaking: int
    """Processes with a leak."""
    leaks: int
    leaks_now: int
    """Those open or acknowledged."""
    newest: list[Leak]
    """With service and process loaded."""


def release_state(release: Release, most: int) -> ReleaseState:
    """Of this release; at most ``most`` of its newest leaks are read. Three queries."""
    processes = Process.objects.filter(release=release, outside=False).order_by()
    leaks = Leak.objects.filter(process__release=release)
    return ReleaseState(
        **processes.aggregate(processes=Count("pk"), alive=Count("pk", filter=Q(ended_at=None))),
        **leaks.order_by().aggregate(
            leaks=Count("pk"),
            leaking=Count("process", distinct=True),
            leaks_now=Count("pk", filter=Q(state__in=(Leak.State.OPEN, Leak.State.ACKNOWLEDGED))),
        ),
        newest=list(leaks.select_related("service", "process__service").order_by("-detected_at")[:most]),
    )


def newest_releases(service: int, most: int) -> list[Release]:
    """The last releases of the service, newest first."""
    return list(Release.objects.filter(service=service).order_by("-first_seen_at", "-pk")[:most])


def releases_with_leaks(service: int, most: int) -> list[InRelease]:
    """The last releases of the service, newest first, and how many of their processes had any leak."""
    return _in_releases(service, most, Leak.objects.all())


def releases_of(leak: Leak) -> list[InRelease]:
    """The service's last releases, oldest first, and where this leak was found. ``[]`` where releases are not named."""
    same = Leak.objects.filter(service=leak.service_id, kind=leak.kind, object_type=leak.object_type)
    return _in_releases(leak.service_id, MOST_RELEASES, same)[::-1]


def _in_releases(service: int, most: int, leaks: QuerySet[Leak]) -> list[InRelease]:
    newest = newest_releases(service, most)
    if not newest:
        return []
    keys = [release.pk for release in newest]
    ran = Process.objects.filter(release__in=keys).order_by().values_list("release").annotate(Count("pk"))
    processes = {release: found for release, found in ran if release is not None}
    leaking = leaks.filter(process__release__in=keys).order_by().values_list("process__release")
    found = {
        release: (count, since)
        for release, count, since in leaking.annotate(Count("process", distinct=True), Min("detected_at"))
    }
    return [
        InRelease(
            pk=release.pk,
            name=release.name,
            first_seen_at=release.first_seen_at,
            processes=processes.get(release.pk, 0),
            leaking=found.get(release.pk, (0, None))[0],
            since=found.get(release.pk, (0, None))[1],
        )
        for release in newest
    ]
