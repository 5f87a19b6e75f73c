"""What a decision about recycling needs to know of a service, and what was recycled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery

from memwatch.conf import get_settings
from memwatch.detection.recycling import ACT, Past, Worker
from memwatch.diagnosis.context import forks
from memwatch.models import Command, Leak, Process, Recording, Recycle, RecyclingPolicy, Release, Service, Snapshot
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.records.recycling import WITHDRAWN

MOST = 500
"""Workers of a service that are looked at."""
_MEASURED_S = 300.0
_INTERVALS = 12
"""Private memory is read with every fifth snapshot, and more seldom where that takes long."""
_CLOCKS_APART = timedelta(seconds=30)
"""Of the server and of a host, whose kernel counts from its start on."""
_YOUNG = timedelta(minutes=15)
HISTORY = 20
_SUCCESSOR = timedelta(minutes=5)
"""So long the next one waits for it."""
_NEWS = timedelta(days=1)
"""What ended longer ago is no news."""
ORDER_STANDS = Q(state=Recycle.State.LEFT, command__state=Command.State.DONE) & ~Q(command__detail__in=WITHDRAWN)
"""The drain time-out is over, and the worker still ends: it takes no new request, whatever it says of itself."""


class Measured(NamedTuple):
    """Figures of one snapshot that has private memory, in KiB."""

    private: int
    limit: int | None
    resident: int | None


def workers_of(service_id: int, now: datetime) -> list[Worker]:
    """The processes of a service that do its work. Ten queries."""
    rows = list(
        Process.objects.alive()
        .filter(service=service_id, outside=False)
        .select_related("service")
        .order_by("pk")[:MOST]
    )
    rows = [row for row in rows if not forks(row.program, row.command_line.split())]
    ids = [row.pk for row in rows]
    busy = set(Recording.objects.pending().filter(process__in=ids).values_list("process", flat=True))
    measured_s = max(_MEASURED_S, _INTERVALS * get_settings().snapshot_interval)
    last = private_of(rows, newest=True, since=now - timedelta(seconds=measured_s))
    first = private_of(rows, newest=False)
    resident = dict(Process.objects.filter(pk__in=ids).order_by().values_list("pk", "last_snapshot__rss_kib"))
    leaking = set(Leak.objects.active().filter(process__in=ids).values_list("process", flat=True))
    whole = Leak.objects.active().filter(service=service_id, process=None).exists()
    about_to_end = Recycle.objects.filter(process__in=ids).filter(Q(state__in=Recycle.PENDING) | ORDER_STANDS)
    busy.update(pk for pk in about_to_end.values_list("process_id", flat=True) if pk is not None)
    return [
        Worker(
            id=row.pk,
            name=str(row),
            program=row.program,
            age_s=(now - min(row.started_at, row.first_seen_at)).total_seconds(),  # a host's clock may be ahead
            private_mb=megabytes(_private_now(last.get(row.pk), resident.get(row.pk))),
            limit_mb=megabytes(last[row.pk].limit) if row.pk in last else None,
            first_private_mb=megabytes(first[row.pk].private) if row.pk in first else None,
            leaks=whole or row.pk in leaking,
            healthy=row.lease_expires_at > now and row.pk not in busy,
        )
        for row in rows
    ]


def _private_now(measured: Measured | None, resident: int | None) -> int | None:
    """Private memory in KiB, less what resident memory has fallen since: it is measured less often than that.

    A peak that is over would count as several checks in a row.
    """
    if measured is None or measured.resident is None or resident is None:
        return None if measured is None else measured.private
    return max(0, measured.private - max(0, measured.resident - resident))


def private_of(processes: Collection[Process], *, newest: bool, since: datetime | None = None) -> dict[int, Measured]:
    """Private memory of each, of the newest snapshot that has it, or of one when it was young.

    Two queries.
    """
    own = Snapshot.objects.filter(process=OuterRef("pk"), uss_kib__isnull=False)
    if since is not None:
        own = own.filter(timestamp__gte=since)
    if not newest:  # of one that is older than the snapshots that are kept, it is not known
        own = own.filter(timestamp__lte=F("process__started_at") + _YOUNG)
    chosen = own.order_by("-timestamp" if newest else "timestamp").values("pk")[:1]
    rows = Process.objects.filter(pk__in=[process.pk for process in processes]).order_by()
    ids = [pk for pk in rows.annotate(chosen=Subquery(chosen)).values_list("chosen", flat=True) if pk]
    names = ("process_id", "uss_kib", "heap_limit_kib", "rss_kib")
    found = Snapshot.objects.filter(pk__in=ids).order_by().values_list(*names)
    return {pk: Measured(uss, limit, rss) for pk, uss, limit, rss in found if uss is not None}


def deployed_release(policy: RecyclingPolicy) -> Release | None:
    """The release that has taken the place of the policy's; ``None`` while its own is the one that counts.

    It is the one that the youngest living process runs. Where several releases run side by side, the youngest changes
    with every worker that is replaced: an older release counts only when no process runs the policy's own any more.
    """
    alive = Process.objects.alive().filter(service=policy.service_id, outside=False)
    youngest = alive.select_related("release").order_by("-started_at", "-pk").first()
    release = None if youngest is None else youngest.release
    known = policy.release
    if release is None or known is None or release.pk == known.pk:
        return None if release == known else release
    is_newer = (release.first_seen_at, release.pk) > (known.first_seen_at, known.pk)
    return release if is_newer or not alive.filter(release=known).exists() else None


def history_of(policy: RecyclingPolicy, *, acted: bool, of_release: bool = False) -> list[Past]:
    """The recycles of the service, or what it would have made, the newest first.

    ``of_release``: only those of its release of now, since somebody last changed the policy.
    """
    rows = Recycle.objects.filter(service=policy.service_id, state__in=Recycle.OVER if acted else ("rehearsed",))
    if of_release:
        rows = rows.filter(release=policy.release)
        rows = rows if policy.release_since is None else rows.filter(at__gte=policy.release_since)
    return [
        Past(
            at=row.at,
            worker=row.process_id or 0,
            done=row.state in (Recycle.State.RECYCLED, "rehearsed"),
            before_mb=megabytes(row.private_before_kib),
            gained_mb=megabytes(row.gained_kib),
            grew_back=row.grew_back,
            replaced=row.state != Recycle.State.RECYCLED or row.process_id is None or row.successor_id is not None,
        )
        for row in rows.order_by("-at", "-pk")[:HISTORY]
    ]


def awaits_successor(service_id: int, now: datetime) -> bool:
    """Whether the worker that was recycled last has ended a short time ago, and its place is empty."""
    rows = Recycle.objects.filter(service=service_id, state=Recycle.State.RECYCLED, ended_at__gt=now - _SUCCESSOR)
    last = rows.select_related("process").order_by("-ended_at").first()
    return last is not None and last.successor_id is None and successor_of(last) is None


def successor_of(row: Recycle) -> Process | None:
    """The process that took the slot of the one that was recycled."""
    before = row.process
    if before is None or before.ended_at is None:
        return None
    rows = Process.objects.filter(
        service=before.service_id, host=before.host, outside=False, started_at__gte=before.started_at
    ).exclude(pk=before.pk)
    same_slot = rows.filter(slot_number=before.slot_number, pk__gt=before.pk).order_by("pk").first()
    if same_slot is not None:
        return same_slot
    since = (row.ordered_at or row.at) - _CLOCKS_APART
    return rows.filter(pk__gt=before.pk, started_at__gte=since, ended_at=None).order_by("pk").first()


def listed() -> QuerySet[Recycle]:
    """Recycled workers with what their pages show, the newest first."""
    return Recycle.objects.select_related("service", "process__service", "release", "successor__service", "recording")


def unreported(before: datetime) -> QuerySet[Recycle]:
    """Workers that were recycled before that time, whose gain is not known and was not reported; of one day."""
    rows = listed().filter(state=Recycle.State.RECYCLED, notified_at=None, gained_kib=None)
    return rows.filter(ended_at__lt=before, ended_at__gte=before - _NEWS)


def policies() -> QuerySet[RecyclingPolicy]:
    """With service and who changed them."""
    return RecyclingPolicy.objects.select_related("service", "changed_by", "release")


def policy_of(service_id: int) -> RecyclingPolicy | None:
    """``None`` where the service has none."""
    return policies().filter(service=service_id).first()


def without_policy() -> QuerySet[Service]:
    """Services that have no policy yet."""
    return Service.objects.filter(recycling_policy=None).order_by("name")


def worst_leak(process_id: int | None, service_id: int) -> Leak | None:
    """The leak that evidence is recorded for: the process's own, else the service's."""
    rows = Leak.objects.active().select_related("service", "process__service")
    own = rows.filter(process=process_id).order_by(F("growth_percent").desc()).first() if process_id else None
    return own or rows.filter(service=service_id, process=None).order_by(F("growth_percent").desc()).first()


def stopped_policies() -> Sequence[RecyclingPolicy]:
    """Those that act and have stopped themselves."""
    return list(policies().filter(mode=ACT, stopped_at__isnull=False))


def acting() -> list[tuple[str, bool]]:
    """``(service, whether it has stopped itself)`` of the policies that act."""
    rows = RecyclingPolicy.objects.filter(mode=ACT).order_by("service__name")
    return [(service, at is not None) for service, at in rows.values_list("service__name", "stopped_at")]


def totals_since(since: datetime) -> Mapping[int, Mapping[str, int]]:
    """How many recycles of each service came to which state since then. One query."""
    found: dict[int, dict[str, int]] = {}
    rows = Recycle.objects.filter(at__gte=since).order_by().values_list("service", "state").annotate(Count("pk"))
    for service, state, number in rows:
        found.setdefault(service, {})[state] = number
    return found
