"""Every process alive at a glance: what the overview needs of thousands at once, without making a row of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from django.db.models import FilteredRelation, Min, Q, QuerySet, Subquery

from memwatch.detection.outlook import exhausted_at, time_left_s
from memwatch.models import Baseline, Leak, Process
from memwatch.models.functions import Moment
from memwatch.queries.baselines import choose, heap_drift_percent
from memwatch.records import KIB_PER_MB

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

    The last snapshots are among the newest, which PostgreSQL is told: else it reads the whole table of snapshots for
    them, until that has become so large that thousands of single look-ups seem less.
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
