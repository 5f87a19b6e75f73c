"""What a process is compared with, and how far it has moved from there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from memwatch.detection import compare
from memwatch.models import Baseline, Process, Service, Snapshot
from memwatch.queries.series.snapshot_mapping import figures_of_many
from memwatch.records import DriftReport

WARM_UP_INTERVALS = 5
WARM_UP_AT_MOST = timedelta(minutes=5)


def warm_up(interval_s: float) -> timedelta:
    """How old a process is when its automatic baseline becomes fair."""
    return min(timedelta(seconds=WARM_UP_INTERVALS * interval_s), WARM_UP_AT_MOST)


def baseline_of(process: Process) -> Baseline | None:
    """The baseline that counts for the process.

    Its own where somebody set it after the service's; else the service's where the process is newer than that; else its
    own, the automatic one included. ``None`` before its first snapshot.
    """
    return baselines_of([process]).get(process.pk)


def baselines_of(processes: Sequence[Process], *, columns: Iterable[str] = ()) -> dict[int, Baseline]:
    """The same for many, by process id, in two queries; ``columns`` limits what is loaded of the figures."""
    own = Baseline.objects.filter(active=True, process__in=[process.pk for process in processes])
    shared = Baseline.objects.filter(active=True, process=None, service__in={p.service_id for p in processes})
    if columns:
        only = ("service_id", "process_id", "timestamp", "created_at", "automatic", "active", *columns)
        own, shared = own.only(*only), shared.only(*only)
    own_by_process = {baseline.process_id: baseline for baseline in own}
    by_service = {baseline.service_id: baseline for baseline in shared}
    chosen = {
        process.pk: choose(process, own_by_process.get(process.pk), by_service.get(process.service_id))
        for process in processes
    }
    return {pk: baseline for pk, baseline in chosen.items() if baseline is not None}


def heap_baselines_of(processes: Sequence[Process]) -> dict[int, int | None]:
    """Heap used in KiB by the baseline that counts for each, by process id: for thousands, without making rows."""
    names = ("service_id", "process_id", "created_at", "automatic", "heap_used_kib")
    active = Baseline.objects.filter(active=True).order_by()
    own = active.filter(process__in=[process.pk for process in processes]).values_list(*names, named=True)
    shared = active.filter(process=None, service__in={p.service_id for p in processes}).values_list(*names, named=True)
    own_by_process: dict[int | None, Any] = {row.process_id: row for row in own}
    by_service: dict[int, Any] = {row.service_id: row for row in shared}
    found: dict[int, int | None] = {}
    for process in processes:
        chosen = choose(process, own_by_process.get(process.pk), by_service.get(process.service_id))
        if chosen is not None:
            found[process.pk] = chosen.heap_used_kib
    return found


class _Candidate(Protocol):
    @property
    def automatic(self) -> bool: ...
    @property
    def created_at(self) -> datetime: ...


_C = TypeVar("_C", bound=_Candidate)


class _Started(Protocol):
    @property
    def started_at(self) -> datetime: ...


def choose(process: _Started, own: _C | None, service: _C | None) -> _C | None:
    """Which of the two counts; the rule of :func:`baseline_of`."""
    if own is None or service is None:
        return own or service
    if not own.automatic and own.created_at >= service.created_at:
        return own
    return service if process.started_at > service.created_at else own


def last_snapshot_of(process: Process) -> Snapshot | None:
    """The row that the process's pointer names; ``None`` where there is none, or it was pruned."""
    try:
        return process.last_snapshot
    except Snapshot.DoesNotExist:
        return None


def drift_of(process: Process) -> DriftReport | None:
    """The difference of the last snapshot from the baseline; ``None`` where either is missing."""
    return drift_between(process, baseline_of(process), last_snapshot_of(process))


def drift_between(process: Process, baseline: Baseline | None, last: Snapshot | None) -> DriftReport | None:
    """The same where both are at hand."""
    if baseline is None or last is None:
        return None
    before, now = figures_of_many([baseline, last])
    return compare(before, now, started_at=process.started_at)


def heap_drift_percent(baseline_kib: int | None, current_kib: int | None) -> float | None:
    """Drift of heap used in percent; ``None`` where either side was not measured."""
    if not baseline_kib or current_kib is None:
        return None
    return (current_kib - baseline_kib) / baseline_kib * 100


def baseline_with_user(pk: int) -> Baseline | None:
    """The baseline with service, process and the user who set it; ``None`` where it is gone."""
    return Baseline.objects.select_related("service", "process__service", "created_by").filter(pk=pk).first()


def newest_baselines(service: Service, most: int) -> list[Baseline]:
    """The baselines of the service as a whole, with the users who set them."""
    return list(Baseline.objects.filter(service=service, process=None).select_related("created_by")[:most])
