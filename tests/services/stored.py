"""Rows as ingest would have stored them, at times of the test's choosing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.models import Baseline, ObjectType, Process, Service, Snapshot, WorkName, WorkRollup

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUOTE = "shop.leaks.PriceQuote"


def store_process(
    service: str = "web", *, slot: int = 1, host: str = "a", started: datetime | None = None, **values: Any
) -> Process:
    started = started or NOON - timedelta(hours=6)
    owner, _ = Service.objects.get_or_create(name=service)
    pid = 1000 + Process.objects.count()
    return Process.objects.create(
        key=f"{host}:{pid}:{started.timestamp():.3f}:0", service=owner, host=host, pid=pid, slot_number=slot,
        started_at=started, first_seen_at=started, last_seen_at=started,
        lease_expires_at=started + timedelta(days=30), **values,
    )  # fmt: skip


def type_id(name: str) -> str:
    return str(ObjectType.objects.get_or_create(name=name)[0].pk)


def store_snapshots(
    process: Process,
    begin: datetime,
    end: datetime,
    figures: Callable[[float], Mapping[str, Any]] = lambda _minutes: {},
    *,
    every: timedelta = MINUTE,
) -> None:
    """Snapshots from ``begin`` to ``end`` (included); ``figures`` gives what differs, by minutes since NOON.

    The key ``types`` holds counts by name. Memory follows the objects: 0.5 KiB and 4 blocks each.
    """
    seq = process.snapshots.count()
    rows = []
    known: dict[str, str] = {}
    moment = begin
    while moment <= end:
        given = dict(figures((moment - NOON) / MINUTE))
        types: Mapping[str, int] = given.pop("types", {})
        wobble = (seq * 7919) % 13
        objects = sum(types.values())
        counts = {"dict": 9_000 + wobble, **types}
        known |= {name: type_id(name) for name in counts if name not in known}
        row: dict[str, Any] = {
            "heap_used_kib": 51_200 + objects // 2 + wobble, "heap_committed_kib": 61_440 + objects // 2,
            "pymalloc_used_kib": 40_960 + objects // 2, "rss_kib": 81_920 + objects // 2, "vms_kib": 300_000,
            "heap_limit_kib": 2_097_152, "heap_limit_source": "cgroup", "total_objects": 56_000 + objects,
            "allocated_blocks": 200_000 + 4 * objects + wobble, "gc_collections_gen0": seq * 5,
            "gc_collections_gen1": seq // 2, "gc_collections_gen2": seq // 20,
            "counts": {known[name]: count for name, count in counts.items()},
        }  # fmt: skip
        row.update(given)
        rows.append(Snapshot(process=process, seq=seq, timestamp=moment, received_at=moment, **row))
        seq += 1
        moment += every
    Snapshot.objects.bulk_create(rows)
    process.last_snapshot = process.snapshots.order_by("-timestamp").first()
    process.last_seen_at = end
    process.save()
    if rows and not process.baselines.exists():
        store_baseline(process, rows[0])


def store_baseline(process: Process, row: Snapshot) -> Baseline:
    return Baseline.objects.create(
        service=process.service, process=process, timestamp=row.timestamp, created_at=row.timestamp, automatic=True,
        heap_used_kib=row.heap_used_kib, rss_kib=row.rss_kib, total_objects=row.total_objects, counts=row.counts,
    )  # fmt: skip


def end_process(process: Process, at: datetime, reason: str = Process.End.GOODBYE) -> None:
    process.ended_at = process.end_noted_at = at
    process.end_reason = reason
    process.save()


def growing(
    start: float, per_minute: float, name: str = QUOTE, until: float = 1e9
) -> Callable[[float], Mapping[str, Any]]:
    """A type that grows steadily from 500 at minute ``start`` until minute ``until``."""

    def figures(minutes: float) -> Mapping[str, Any]:
        wobble = int(minutes * 7) % 5
        grown = max(0.0, min(minutes, until) - start) * per_minute
        return {"types": {name: 500 + int(grown) + wobble}}

    return figures


def store_work(
    process: Process,
    start: datetime,
    name: str = "shop.tasks.sync",
    *,
    kind: str = "task",
    period: str = "hour",
    **figures: Any,
) -> WorkRollup:
    """What the calls of one name took in the hour or the day from ``start`` on, ten of them if nothing else is said."""
    work, _ = WorkName.objects.get_or_create(kind=kind, name=name)
    peak = process if figures.get("peak_calls") else None
    return WorkRollup.objects.create(
        service=process.service, work=work, period=period, start=start, peak_process=peak, **{"calls": 10, **figures}
    )  # fmt: skip
