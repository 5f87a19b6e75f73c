"""What the processes of a service share, from their snapshots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple

from django.db.models import Avg, F, OuterRef, Q, Subquery

from memwatch.detection.surroundings.sharing import Effect, Sharing
from memwatch.models import Process, Service, Snapshot
from memwatch.records import KIB_PER_MB

CURRENT = timedelta(hours=1)
"""Shared memory is read with every fifth snapshot, and more seldom where that takes long."""
MOST = 200
LIVES = 40
"""The newest lives that are compared."""
YOUNG, OLD = timedelta(minutes=5), timedelta(hours=6)
"""Ages of a process between which lives are compared: all are warm, and none has had much more time than another."""


class _Figures(NamedTuple):
    """In KiB."""

    rss: int
    pss: int
    uss: int
    heap: int | None


def sharing_of(service: Service, *, now: datetime) -> Sharing | None:
    """``None`` with fewer than two processes whose shared memory is known."""
    alive = list(Process.objects.alive().filter(service=service, outside=False).order_by("pk")[:MOST])
    last = _measured(alive, newest=True, since=now - CURRENT)
    known = [process for process in alive if process.pk in last]
    if len(known) < 2:
        return None
    figures = [last[process.pk] for process in known]
    return Sharing(
        processes=len(known),
        rss_mb=sum(each.rss for each in figures) / KIB_PER_MB,
        pss_mb=sum(each.pss for each in figures) / KIB_PER_MB,
        uss_mb=sum(each.uss for each in figures) / KIB_PER_MB,
        methods=Counter(process.start_method for process in known),
        frozen=len([process for process in known if process.frozen_objects]),
        copied_mb=_copied_mb([each for each in known if each.start_method == "fork" and not each.frozen_objects], last),
        effect=_effect(service),
    )


def _measured(processes: Sequence[Process], *, newest: bool, since: datetime | None = None) -> dict[int, _Figures]:
    """Each process's newest or first figures with shared memory, by its id."""
    own = Snapshot.objects.filter(process=OuterRef("pk"), uss_kib__isnull=False, pss_kib__isnull=False)
    if since is not None:
        own = own.filter(timestamp__gte=since)
    chosen = own.order_by("-timestamp" if newest else "timestamp").values("pk")[:1]
    rows = Process.objects.filter(pk__in=[process.pk for process in processes]).order_by()
    ids = [pk for pk in rows.annotate(chosen=Subquery(chosen)).values_list("chosen", flat=True) if pk]
    found = Snapshot.objects.filter(pk__in=ids, rss_kib__isnull=False).order_by()
    columns = found.values_list("process_id", "rss_kib", "pss_kib", "uss_kib", "heap_used_kib")
    return {pk: _Figures(*sizes) for pk, *sizes in columns}  # type: ignore[arg-type]  # the first three are known


def _copied_mb(forked: Sequence[Process], last: Mapping[int, _Figures]) -> float | None:
    """Private memory that the median process gained beyond what its heap did: pages copied because it wrote to them."""
    if not forked:
        return None
    first = _measured(forked, newest=False)
    copied = []
    for pk, then in first.items():
        now = last[pk]
        if then.heap is not None and now.heap is not None:
            copied.append(max(0, now.uss - then.uss - max(0, now.heap - then.heap)))
    return median(copied) / KIB_PER_MB if copied else None


def _effect(service: Service) -> Effect | None:
    """``None`` without lives of both kinds."""
    rows = Process.objects.filter(service=service, start_method="fork", frozen_objects__isnull=False)
    lives = dict(rows.order_by("-pk").values_list("pk", "frozen_objects")[:LIVES])
    if not any(lives.values()) or all(lives.values()):
        return None
    warm = Q(timestamp__gte=F("process__started_at") + YOUNG, timestamp__lte=F("process__started_at") + OLD)
    private = (
        Snapshot.objects.filter(warm, process__in=list(lives), uss_kib__isnull=False)
        .order_by()
        .values_list("process_id")
        .annotate(Avg("uss_kib"))
    )
    with_it: list[float] = []
    without: list[float] = []
    for pk, kib in private:
        (with_it if lives[pk] else without).append(kib / KIB_PER_MB)
    if not with_it or not without:
        return None
    return Effect(
        before_mb=median(without), before_lives=len(without), after_mb=median(with_it), after_lives=len(with_it)
    )
