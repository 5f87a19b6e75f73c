"""The fleet as it is now: every process with its latest figures, in a few queries whatever its size."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from django.db.models import Count, FilteredRelation, Min, OuterRef, Q, QuerySet, Subquery

from memwatch.detection.exhaustion.outlook import exhausted_at, time_left_s
from memwatch.models import Baseline, Leak, Process, Service, Snapshot
from memwatch.models.functions import Moment
from memwatch.queries.baselines import choose, heap_baselines_of, heap_drift_percent, last_snapshot_of
from memwatch.queries.series.snapshot_mapping import figures_of_many
from memwatch.queries.series.snapshots import CENSUS_AGE
from memwatch.records import KIB_PER_MB, MemoryMetrics, MemorySnapshot

_COLUMNS = (
    "pk", "service_id", "service__name", "host", "slot_number", "outside", Moment("started_at"),
    Moment("last_seen_at"), "last_seq",
    "last__rss_kib", "last__heap_used_kib", "last__heap_limit_kib", "last__heap_limit_source", "last__census_pause_us",
    "last__snapshot_cpu_us", Moment("growing_since"), "growth_kib_per_hour", "census_interval_s", "census_cpu_ms",
    "leaks_known",
)  # fmt: skip
_LEAK = (
    "pk", "service_id", "process_id", "kind", "object_type", "severity", Moment("detected_at"),
    Moment("last_seen_at"), "time_to_exhaustion_s",
)  # fmt: skip
OF_A_PROCESS = frozenset({"setting", "rlimit"})
"""Sources of a limit that each process has for itself; the others are shared by those of a host."""


class Glance(NamedTuple):
    """One process and its last sizes; ``None`` where they were not measured."""

    pk: int
    service_id: int
    service: str
    host: str
    slot_number: int
    outside: bool
    started_at: datetime
    last_seen_at: datetime
    last_seq: int
    rss_kib: int | None
    heap_used_kib: int | None
    heap_limit_kib: int | None
    limit_source: str | None
    census_pause_us: int | None
    snapshot_cpu_us: int | None
    growing_since: datetime | None
    """Since when its resident memory grows steadily, for whatever cause."""
    growth_kib_per_hour: int | None
    census_interval_s: float | None
    """Mean seconds between two counts of its objects."""
    census_cpu_ms: float | None
    """What one of them cost."""
    leaks_known: bool
    """Whether its objects were counted often enough to say whether it leaks."""

    @property
    def slot(self) -> str:
        """The stable small name, e.g. ``web-1``."""
        return f"{self.service}-{self.slot_number}"

    @property
    def heap_percent(self) -> float | None:
        """Heap used of its limit."""
        if self.heap_used_kib is None or not self.heap_limit_kib:
            return None
        return self.heap_used_kib / self.heap_limit_kib * 100


class LeakGlance(NamedTuple):
    """One open or acknowledged leak, without what only its own page tells."""

    pk: int
    service_id: int
    process_id: int | None
    kind: str
    object_type: str
    severity: str
    detected_at: datetime
    last_seen_at: datetime
    time_to_exhaustion_s: float | None

    def time_left_s(self, now: datetime) -> float | None:
        """Seconds until memory runs out."""
        return time_left_s(exhausted_at(self.last_seen_at, self.time_to_exhaustion_s), now)


class Drifting(Protocol):
    """A process with the last size of its heap."""

    @property
    def pk(self) -> int: ...
    @property
    def service_id(self) -> int: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def heap_used_kib(self) -> int | None: ...


class _Baseline(NamedTuple):
    heap_used_kib: int | None
    automatic: bool
    created_at: datetime


def alive_with_last() -> QuerySet[Process]:
    """Every process that is alive, with the columns of its last snapshot as ``last__…``.

    The last snapshots are among the newest. The query says so: otherwise PostgreSQL reads the whole table of snapshots
    for them, until that has become so large that thousands of single look-ups seem less.
    """
    alive = Process.objects.alive()
    oldest = alive.order_by().values("ended_at").annotate(oldest=Min("last_snapshot_id")).values("oldest")
    newest = Q(last_snapshot__pk__gte=Subquery(oldest))
    return alive.annotate(last=FilteredRelation("last_snapshot", condition=newest))


def glance() -> list[Glance]:
    """Every process that is alive. One query."""
    return list(map(Glance._make, alive_with_last().order_by().values_list(*_COLUMNS)))


def leaks_at_a_glance(service: int | None = None) -> list[LeakGlance]:
    """Every leak that is open or acknowledged, or those of a service. One query.

    There may be thousands: a release that leaks does so in each of its processes.
    """
    rows = Leak.objects.active() if service is None else Leak.objects.active().filter(service=service)
    return list(map(LeakGlance._make, rows.order_by().values_list(*_LEAK)))


def heap_drifts(processes: Sequence[Drifting]) -> dict[int, float]:
    """Heap used against the baseline that counts for each of these living, in percent, by process id. Two queries."""
    active = Baseline.objects.filter(active=True).order_by()
    columns = ("heap_used_kib", "automatic", Moment("created_at"))
    own = active.filter(process__isnull=False, process__ended_at=None)
    of_services = active.filter(process=None).values_list("service_id", *columns)
    shared = {pk: _Baseline(*row) for pk, *row in of_services}
    if not shared:
        return _drifts(processes, dict(own.values_list("process_id", "heap_used_kib")))
    of_processes = {pk: _Baseline(*row) for pk, *row in own.values_list("process_id", *columns)}
    chosen = ((item.pk, choose(item, of_processes.get(item.pk), shared.get(item.service_id))) for item in processes)
    return _drifts(processes, {pk: baseline.heap_used_kib for pk, baseline in chosen if baseline is not None})


def _drifts(processes: Sequence[Drifting], heaps: Mapping[int, int | None]) -> dict[int, float]:
    """``heaps``: heap used in KiB by the baseline that counts for each, by process id."""
    found = {}
    for process in processes:
        drift = heap_drift_percent(heaps.get(process.pk), process.heap_used_kib)
        if drift is not None:
            found[process.pk] = drift
    return found


def memory_limit_mb(processes: Sequence[Glance]) -> float | None:
    """What all of them may use together: a limit of a container or a host counts once, however many share it."""
    alone, shared = 0, {}
    for process in processes:
        if not process.heap_limit_kib:
            continue
        if process.limit_source in OF_A_PROCESS:
            alone += process.heap_limit_kib
        else:
            shared[process.host, process.limit_source, process.heap_limit_kib] = process.heap_limit_kib
    total = alone + sum(shared.values())
    return total / KIB_PER_MB if total else None


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


def alive_of_service(service: Service, most: int) -> list[Process]:
    """Its processes that are alive, as :func:`figures_of_processes` needs them."""
    alive = Process.objects.alive().filter(service=service)
    return list(alive.select_related("service", "release", "last_snapshot")[:most])


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
