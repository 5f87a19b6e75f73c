"""Two releases of a service, as ingest would have stored their processes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from memwatch.models import Baseline, Installation, Process, Release, Service
from tests.services.stored import MINUTE, NOON, store_process, store_snapshots, type_id

Packages = Mapping[str, tuple[str, int]]
"""By name the distribution, and the modules of one process."""
DJANGO: Packages = {"django": ("django", 600), "shop": ("", 40)}


def store_release(
    name: str,
    started: datetime,
    until: datetime,
    *,
    service: str = "web",
    processes: int = 4,
    birth_mb: float = 100.0,
    mb_per_hour: float = 0.0,
    jobs_per_minute: float = 10.0,
    alive: bool = True,
    versions: Mapping[str, str] | None = None,
    packages: Packages = DJANGO,
    types: Mapping[str, int] | None = None,
    program: str = "gunicorn worker",
    every: timedelta = 5 * MINUTE,
    **born: Any,
) -> Release:
    """Its processes start within a minute; they differ by half a MB each."""
    owner, _ = Service.objects.get_or_create(name=service)
    release = Release.objects.create(service=owner, name=name, first_seen_at=started)
    row = Installation.objects.create(
        service=owner,
        digest=f"{service} {name}",
        versions=dict(versions or {"django": "5.2"}),
        packages={key: [owner_of, modules * processes] for key, (owner_of, modules) in packages.items()},
        reports=processes if packages else 0,
        first_seen_at=started,
    )
    for number in range(processes):
        at = started + timedelta(seconds=10 * number)
        slot = Process.objects.filter(ended_at=None).count() + 1
        process = store_process(
            service, slot=slot, started=at, program=program, release=release, installation=row,
            ended_at=None if alive else until,
        )  # fmt: skip
        base = (birth_mb + number / 2) * 1024

        def figures(minute: float, at: datetime = at, base: float = base) -> dict[str, Any]:
            age = minute - (at - NOON) / MINUTE
            return {
                "rss_kib": round(base + age / 60 * mb_per_hour * 1024),
                "requests_handled": round(age * jobs_per_minute),
            }

        store_snapshots(process, at + 5 * MINUTE, until, figures, every=every)
        process.baselines.all().delete()
        Baseline.objects.create(
            service=owner, process=process, automatic=True, timestamp=at + 5 * MINUTE, created_at=at + 5 * MINUTE,
            **{
                "rss_kib": round(base), "heap_used_kib": round(base / 2), "total_objects": 60_000 + number,
                "allocated_blocks": 300_000, "gc_collections_gen2": 5,
                "counts": {type_id(key): count for key, count in (types or {"dict": 9_000}).items()}, **born,
            },
        )  # fmt: skip
        process.last_seen_at = until
        process.last_seq = process.snapshots.count()
        process.last_snapshot = process.snapshots.order_by("-seq").first()
        process.save()
    return release
