"""What an investigation of a leak asks of other tables: in which releases it leaks, and what was recorded of it."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from django.db.models import Count, Min

from memwatch.models import Leak, Process, Recording, Release

MOST_RELEASES = 8
MOST_RECORDINGS = 10
MOST_BESIDE = 8


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class InRelease:
    """The same leak in the processes of one release of the service."""

    pk: int
    name: str
    first_seen_at: datetime
    processes: int
    """That ran it and are still known."""
    leaking: int
    """Those among them that had this leak."""
    since: datetime | None
    """When the first of them was found to leak."""


def releases_of(leak: Leak) -> list[InRelease]:
    """The service's last releases, oldest first, and where this leak was found. ``[]`` where releases are not named."""
    newest = list(Release.objects.filter(service=leak.service_id).order_by("-first_seen_at", "-pk")[:MOST_RELEASES])
    if not newest:
        return []
    keys = [release.pk for release in newest]
    ran = Process.objects.filter(release__in=keys).order_by().values_list("release").annotate(Count("pk"))
    processes = {release: found for release, found in ran if release is not None}
    same = Leak.objects.filter(
        service=leak.service_id, kind=leak.kind, object_type=leak.object_type, process__release__in=keys
    )
    found = {
        release: (count, since)
        for release, count, since in same.order_by()
        .values_list("process__release")
        .annotate(Count("process", distinct=True), Min("detected_at"))
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
        for release in reversed(newest)
    ]


def recordings_of(leak: Leak) -> list[Recording]:
    """The newest recordings that were made of this leak, newest first."""
    rows = Recording.objects.filter(leak=leak).select_related("requested_by", "process__service")
    return list(rows.order_by("-pk")[:MOST_RECORDINGS])


def leaks_beside(leak: Leak) -> list[Leak]:
    """The other leaks of its process that are not over, those that grow most like it first; none without a process."""
    if leak.process_id is None:
        return []
    rows = Leak.objects.unresolved().filter(process=leak.process_id).exclude(pk=leak.pk).defer("evidence", "verdict")
    own = leak.growth_count
    return sorted(rows, key=lambda each: (each.kind != leak.kind, abs(each.growth_count - own), each.pk))[:MOST_BESIDE]
