"""A migrated database with a fleet in it: ``python -m benchmarks.exporter.rows PROCESSES TYPES``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import django


def main(processes: int, types: int) -> None:
    """One snapshot and one baseline for each process, an open leak for every tenth, 200 names of work a service."""
    from django.core.management import call_command
    from django.db import transaction

    call_command("migrate", verbosity=0)
    from memwatch.models import Baseline, Leak, ObjectType, Process, Release, Service, Snapshot

    now = datetime.now(UTC)
    names = [ObjectType(name=f"shop.module_{number % 7}.Type{number}") for number in range(types * 5)]
    ObjectType.objects.bulk_create(names)
    services = [Service.objects.create(name=name) for name in ("web", "api", "worker", "mailer", "beat")]
    releases = [Release.objects.create(service=service, name="2.4") for service in services]
    with transaction.atomic():
        for number in range(processes):
            service, host = services[number % 5], f"host-{number // 50}"
            process = Process.objects.create(
                key=f"bench:{number}", service=service, release=releases[number % 5], host=host, pid=number + 100,
                slot_number=number, started_at=now - timedelta(hours=5), first_seen_at=now, last_seen_at=now,
                lease_expires_at=now + timedelta(days=1), python="3.11.7",
            )  # fmt: skip
            kept = {str(names[(number + at) % len(names)].pk): 1000 * at + number for at in range(types)}
            figures = {
                "heap_limit_kib": 2_000_000, "heap_used_kib": 200_000 + number, "heap_committed_kib": 300_000,
                "pymalloc_used_kib": 100_000, "rss_kib": 350_000, "vms_kib": 900_000, "uss_kib": 300_000,
                "pss_kib": 320_000, "swap_kib": 0, "cgroup_used_kib": 1_000_000, "cgroup_limit_kib": 4_000_000,
                "total_objects": 500_000 + number, "allocated_blocks": 2_000_000, "gc_collections_gen0": 900,
                "gc_collections_gen1": 90, "gc_collections_gen2": 9, "requests_handled": 5_000, "tasks_handled": 0,
                "census_pause_us": 30_000, "snapshot_cpu_us": 40_000, "threads": 5, "counts": kept,
            }  # fmt: skip
            snapshot = Snapshot.objects.create(process=process, seq=1, timestamp=now, received_at=now, **figures)
            Process.objects.filter(pk=process.pk).update(last_snapshot=snapshot)
            Baseline.objects.create(
                service=service, process=process, timestamp=now, created_at=now, automatic=True, heap_used_kib=150_000
            )
            if number % 10 == 0:
                Leak.objects.create(
                    service=service, process=process, object_type=names[number % len(names)].name, severity="high",
                    initial_count=100, current_count=9_000, growth_count=8_900, growth_percent=8_900.0,
                    growth_per_hour=1_000.0, time_to_exhaustion_s=7_200.0,
                )  # fmt: skip
    _work(services, now)


def _work(services: Sequence[Any], now: datetime) -> None:
    """As many names as a process tells apart, of which each service shows some."""
    from memwatch.conf import get_settings
    from memwatch.models import WorkName, WorkRollup, WorkTotal
    from memwatch.records.work import MAX_NAMES

    start = now.replace(minute=0, second=0, microsecond=0)
    names = [WorkName(kind="view", name=f"shop:view_{number}") for number in range(MAX_NAMES)]
    WorkName.objects.bulk_create(names)
    for service in services:
        WorkRollup.objects.bulk_create(
            WorkRollup(
                service=service, work=work, period="hour", start=at, calls=100, peak_calls=10, peak_kib_max=5_000,
                peak_counts={"80": 10},
            )
            for work in names
            for at in (start, start - timedelta(hours=1))
        )  # fmt: skip
        WorkTotal.objects.bulk_create(
            WorkTotal(service=service, work=work, calls=100_000, kept_kib=5_000, hour=start)
            for work in names[: get_settings().metrics_work_limit]
        )


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]), int(sys.argv[2]))
