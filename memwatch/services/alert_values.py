"""Reads what the alert rules look at: a few queries for the whole fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, OuterRef, Subquery

from memwatch.alerts.inputs import Fleet, LeakView, ProcessView
from memwatch.batches import batched
from memwatch.conf import Settings
from memwatch.detection.surroundings.container import headline
from memwatch.models import Alert, Leak, Process, Snapshot
from memwatch.queries.baselines import baselines_of, heap_drift_percent
from memwatch.queries.leak_work import explanation_of
from memwatch.queries.processes.surroundings import by_process, containers
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.services.alert_deaths import process_deaths
from memwatch.services.alert_jobs import job_peaks
from memwatch.services.alert_recycling import stopped_recycling
from memwatch.services.alert_releases import changed_releases

STRETCHES = 4
"""Floors looked at: an hour in quarters."""
MIN_STRETCH_S = 900.0
GC_RECENT = timedelta(minutes=10)
GC_BEFORE = timedelta(hours=6)
GC_MIN_BEFORE_S = 1800.0
"""An average of less than half an hour is no habit yet."""
_AT_ONCE = 500

_FIGURES = (
    "timestamp", "heap_used_kib", "heap_limit_kib", "heap_limit_source", "cgroup_used_kib", "cgroup_limit_kib",
    "rss_kib", "gc_collections_gen1", "gc_collections_gen2",
)  # fmt: skip

Totals = tuple[float, int]
"""When (epoch seconds), and how many collections of generations 1 and 2 there had been."""


def look(settings: Settings, now: datetime) -> Fleet:
    """The fleet, its active leaks and what is raised, as values."""
    processes = list(
        Process.objects.alive().filter(outside=False, last_snapshot__isnull=False).select_related("service")
    )
    last = _rows(process.last_snapshot_id for process in processes)
    stretch_s = max(MIN_STRETCH_S, 3 * settings.snapshot_interval)
    floors = [_floors(now, stretch_s, index) for index in range(STRETCHES, 0, -1)]
    baselines = baselines_of(processes, columns=("heap_used_kib",))
    recent, before = _totals(now - GC_RECENT, newest=True), _totals(now - GC_BEFORE, newest=False)
    in_container = by_process(containers(now=now), processes)
    views = []
    for process in processes:
        row = last.get(process.last_snapshot_id)
        if row is None:
            continue
        baseline = baselines.get(process.pk)
        used = row["heap_used_kib"]
        container = in_container.get(process.pk)
        views.append(
            ProcessView(
                id=process.pk,
                service_id=process.service_id,
                service=process.service.name,
                host=process.host,
                slot=process.slot,
                age_s=(now - process.started_at).total_seconds(),
                heap_used_mb=megabytes(used),
                heap_size_mb=megabytes(row["heap_limit_kib"]),
                heap_limit_source=row["heap_limit_source"] or None,
                cgroup_used_mb=megabytes(row["cgroup_used_kib"]),
                cgroup_limit_mb=megabytes(row["cgroup_limit_kib"]),
                rss_mb=megabytes(row["rss_kib"]),
                container_says="" if container is None else headline(container.figures),
                drift_percent=None if baseline is None else heap_drift_percent(baseline.heap_used_kib, used),
                floors_mb=tuple(megabytes(floor.get(process.pk)) for floor in floors),
                stretch_s=stretch_s,
                gc_rate=_rate(recent.get(process.pk), _collections(row), least_s=60.0),
                gc_average=_rate(before.get(process.pk), recent.get(process.pk), least_s=GC_MIN_BEFORE_S),
            )
        )
    raised = {
        (alert_type, subject): severity
        for alert_type, subject, severity in Alert.objects.raised().values_list("type", "subject", "severity")
    }
    return Fleet(
        processes=tuple(views),
        leaks=_leaks(),
        jobs=job_peaks(now),
        deaths=process_deaths(now),
        recycling=stopped_recycling(),
        releases=changed_releases(now),
        raised=raised,
    )


def _leaks() -> tuple[LeakView, ...]:
    rows = Leak.objects.active().filter(process__ended_at=None).select_related("service", "process__service")
    return tuple(
        LeakView(
            id=row.pk,
            kind=row.kind,
            service_id=row.service_id,
            service=row.service.name,
            process_id=row.process_id,
            host=row.process.host if row.process else None,
            slot=row.process.slot if row.process else None,
            object_type=row.object_type,
            severity=row.severity,
            sentence=row.verdict,
            growth_count=row.growth_count,
            growth_percent=row.growth_percent,
            work=_work(row),
            time_to_exhaustion_s=row.time_to_exhaustion_s,
        )
        for row in rows
    )


def _work(leak: Leak) -> str:
    found = explanation_of(leak.evidence)
    return found.sentence if found is not None and found.culprits else ""


def _rows(ids: Iterable[int | None]) -> dict[int | None, dict[str, Any]]:
    known = [pk for pk in ids if pk is not None]
    found: dict[int | None, dict[str, Any]] = {}
    for batch in batched(known, _AT_ONCE):
        rows = Snapshot.objects.filter(pk__in=batch).order_by()
        found.update((row["pk"], row) for row in rows.values("pk", *_FIGURES))
    return found


def _floors(now: datetime, stretch_s: float, index: int) -> dict[int, int]:
    """The least heap in use (RSS where that is unknown) in KiB, by process, in the ``index``-th stretch before now."""
    begin = now - timedelta(seconds=index * stretch_s)
    rows = (
        Snapshot.objects.filter(timestamp__gte=begin, timestamp__lt=begin + timedelta(seconds=stretch_s))
        .order_by()
        .values_list("process")
        .annotate(Min("heap_used_kib"), Min("rss_kib"))
    )
    return {pk: heap if heap is not None else rss for pk, heap, rss in rows if heap is not None or rss is not None}


def _totals(moment: datetime, *, newest: bool) -> dict[int, Totals]:
    """Collections at the newest snapshot before the moment, or at the oldest after it."""
    own = Snapshot.objects.filter(process=OuterRef("pk"))
    if newest:
        nearest = own.filter(timestamp__lte=moment).order_by("-timestamp")
    else:
        nearest = own.filter(timestamp__gte=moment).order_by("timestamp")
    pairs = dict(
        Process.objects.alive()
        .filter(outside=False, last_snapshot__isnull=False)
        .order_by()
        .annotate(nearest=Subquery(nearest.values("pk")[:1]))
        .values_list("pk", "nearest")
    )
    rows = _rows(pairs.values())
    found = {process: _collections(rows[pk]) for process, pk in pairs.items() if pk in rows}
    return {process: totals for process, totals in found.items() if totals is not None}


def _collections(row: Mapping[str, Any]) -> Totals | None:
    gen1, gen2 = row["gc_collections_gen1"], row["gc_collections_gen2"]
    return None if gen1 is None or gen2 is None else (row["timestamp"].timestamp(), gen1 + gen2)


def _rate(before: Totals | None, after: Totals | None, *, least_s: float) -> float | None:
    if before is None or after is None or after[0] - before[0] < least_s:
        return None
    return (after[1] - before[1]) / (after[0] - before[0])
