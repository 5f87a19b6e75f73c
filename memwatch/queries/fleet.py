"""The fleet as it is now: every process with its latest figures, in a few queries whatever its size."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from datetime import timedelta

from django.db.models import Count, OuterRef, Subquery

from memwatch.models import Leak, Process, Snapshot
from memwatch.queries.baselines import heap_baselines_of, heap_drift_percent, last_snapshot_of
from memwatch.queries.snapshot_mapping import figures_of_many
from memwatch.records import MemoryMetrics, MemorySnapshot

CENSUS_AGE = timedelta(hours=1)
"""A census older than this says nothing of now."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ProcessFigures:
    """One process and what is known of it."""

    process: Process
    """With its service, release and last snapshot loaded."""
    figures: MemorySnapshot | None
    """Of its last snapshot; ``None`` before the first."""
    drift_percent: float | None
    """Heap used against the baseline that counts for it."""
    open_leaks: int
    """Leaks open or acknowledged, of this very process."""
    census: MemorySnapshot | None = None
    """The latest figures with a census: the last snapshot's own, or those of one before. Only where asked for."""


def fleet(alive: bool = True) -> list[ProcessFigures]:
    """Every process that is alive (or every ended one), by service, host and slot. Six queries at most."""
    rows = Process.objects.alive() if alive else Process.objects.ended()
    return figures_of_processes(list(rows.select_related("service", "release", "last_snapshot")))


def figures_of_processes(processes: list[Process], *, census: bool = False) -> list[ProcessFigures]:
    """The same for these processes, in their order; load them with ``service`` and ``last_snapshot``.

    With ``census`` also the latest census of those whose last snapshot had none, in two queries more for all.
    """
    last = {process.pk: last_snapshot_of(process) for process in processes}
    figures = dict(
        zip(
            (pk for pk, row in last.items() if row is not None),
            figures_of_many([row for row in last.values() if row is not None]),
            strict=True,
        )
    )
    baselines = heap_baselines_of(processes)
    leaks = open_leaks(processes)
    uncounted = [each.pk for each in processes if not each.outside and _uncounted(last[each.pk])]
    counted = latest_censuses(uncounted) if census else {}
    found = []
    for process in processes:
        row = last[process.pk]
        found.append(
            ProcessFigures(
                process=process,
                figures=figures.get(process.pk),
                drift_percent=heap_drift_percent(baselines.get(process.pk), row.heap_used_kib) if row else None,
                open_leaks=leaks.get(process.pk, 0),
                census=counted.get(process.pk, figures.get(process.pk)) if census else None,
            )
        )
    return found


def _uncounted(last: Snapshot | None) -> bool:
    return last is not None and last.total_objects is None


def latest_censuses(ids: Collection[int]) -> dict[int, MemorySnapshot]:
    """The figures of each process's latest snapshot that counted objects, of the last hour, by process id."""
    if not ids:
        return {}
    counted = Snapshot.objects.filter(
        process=OuterRef("pk"), timestamp__gte=OuterRef("last_seen_at") - CENSUS_AGE, total_objects__isnull=False
    ).order_by("-timestamp")
    latest = Process.objects.filter(pk__in=ids).order_by().annotate(counted=Subquery(counted.values("pk")[:1]))
    rows = list(Snapshot.objects.filter(pk__in=[pk for pk in latest.values_list("counted", flat=True) if pk]))
    return {row.process_id: figures for row, figures in zip(rows, figures_of_many(rows), strict=True)}


def open_leaks(processes: list[Process]) -> dict[int, int]:
    """How many leaks are open or acknowledged, by process id; processes without any are left out."""
    rows = Leak.objects.active().exclude(process=None)
    if len(processes) <= 500:
        rows = rows.filter(process__in=[process.pk for process in processes])
    return {pk: count for pk, count in rows.order_by().values_list("process").annotate(Count("pk")) if pk is not None}


def metrics_of(process: Process) -> MemoryMetrics:
    """The process's figures of now, for Prometheus."""
    (item,) = figures_of_processes([process])
    figures = {} if item.figures is None else item.figures.to_dict()
    return MemoryMetrics.from_dict(
        {**figures, "active_leaks": item.open_leaks, "baseline_drift_percent": item.drift_percent}
    )
