"""Millions of snapshots as a fleet would have sent them: a row a minute of each process, those of a minute together."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

MINUTES = 2_880
"""Two days: what is kept of snapshots."""
SERVICES, HOSTS, TYPES, VARIANTS = 20, 50, 40, 16
BUSY_ROWS = 86_400
"""Of one process that sends a snapshot every two seconds."""
HISTORIC = 50
"""Processes with roll-ups of a month and of more; the others have those of two days."""
DAYS = 200
LEAKS = 3_000
FIGURES = ("rss_kib", "heap_used_kib", "heap_committed_kib", "heap_limit_kib", "total_objects", "allocated_blocks")

_SNAPSHOTS = """
INSERT INTO memwatch_snapshot (process_id, seq, "timestamp", received_at, heap_limit_kib, heap_used_kib,
    heap_committed_kib, pymalloc_used_kib, rss_kib, vms_kib, uss_kib, total_objects, allocated_blocks,
    gc_collections_gen0, gc_collections_gen1, gc_collections_gen2, requests_handled, census_pause_us, snapshot_cpu_us,
    threads, heap_limit_source, counts)
SELECT p, s, at, at + interval '2 seconds', 2097152, 90000 + s %% 500 * 20 + p %% 97, 120000 + s %% 500 * 20, 60000,
    140000 + s %% 500 * 25 + p %% 97, 400000, CASE WHEN s %% 5 = 0 THEN 120000 + s %% 500 * 25 END, 80000 + s * 3,
    300000 + s * 9, 1000 + s * 7, 100 + s, 10 + s / 10, s * 60, 4000, 9000, 6, 'cgroup',
    (%s::bytea[])[1 + (s + p) %% {variants}]
FROM (SELECT p, s, %s::timestamptz + make_interval(secs => s * %s + p %% 60 * %s / 60.0) AS at
      FROM generate_series(%s, %s) AS s, generate_series(%s, %s) AS p ORDER BY s, p) AS rows
"""


def build(rows: int, now: datetime) -> dict[str, Any]:
    """Fill the tables; returns the ids of what is then looked at."""
    from django.db import connection

    from memwatch.models import ObjectType, Process, Release, Service, Snapshot
    from memwatch.models.packed_fields import pack_counts

    processes = max(HISTORIC + 1, (rows - BUSY_ROWS) // MINUTES)
    start = now - timedelta(minutes=MINUTES)
    types = [ObjectType(name=f"application.module{number % 7}.Class{number}") for number in range(TYPES)]
    ObjectType.objects.bulk_create(types)
    services = Service.objects.bulk_create(Service(name=f"service{number}") for number in range(SERVICES))
    releases = Release.objects.bulk_create(Release(service=each, name="2.4") for each in services)
    fleet = Process.objects.bulk_create(
        (
            Process(
                key=str(number),
                service=services[number % SERVICES],
                release=releases[number % SERVICES],
                host=f"host{number % HOSTS}",
                pid=number + 1,
                slot_number=number // SERVICES + 1,
                program="gunicorn worker",
                started_at=now - timedelta(days=DAYS) if number < HISTORIC else start,
                first_seen_at=now - timedelta(days=DAYS) if number < HISTORIC else start,
                last_seen_at=now,
                lease_expires_at=now + timedelta(minutes=5),
            )
            for number in range(processes)
        ),
        batch_size=1000,
    )
    first, busy = fleet[0].pk, fleet[-1].pk
    _find(fleet)
    packed = [
        pack_counts({str(each.pk): 60_000 // (at + 1) + variant for at, each in enumerate(types)})
        for variant in range(VARIANTS)
    ]
    model = Snapshot._meta
    with connection.schema_editor() as editor:
        for constraint in model.constraints:
            editor.remove_constraint(Snapshot, constraint)
        for index in model.indexes:
            editor.remove_index(Snapshot, index)
    insert = _SNAPSHOTS.format(variants=VARIANTS)
    with connection.cursor() as cursor:
        for minute in range(0, MINUTES, 240):
            until = min(minute + 240, MINUTES) - 1
            cursor.execute(insert, [packed, start, 60, 60, minute, until, first, busy - 1])
        cursor.execute(insert, [packed, start, 2, 2, 0, BUSY_ROWS - 1, busy, busy])
        cursor.execute(
            "UPDATE memwatch_process SET last_seq = found.seq, last_snapshot_id = found.id FROM (SELECT DISTINCT ON "
            '(process_id) process_id, seq, id FROM memwatch_snapshot WHERE "timestamp" > %s '
            "ORDER BY process_id, seq DESC) AS found WHERE found.process_id = memwatch_process.id",
            [now - timedelta(minutes=5)],
        )
    with connection.schema_editor() as editor:
        for constraint in model.constraints:
            editor.add_constraint(Snapshot, constraint)
        for index in model.indexes:
            editor.add_index(Snapshot, index)
    rollups = _roll_up(fleet, now, json.dumps({str(each.pk): 50 for each in types}))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT count(*), pg_total_relation_size('memwatch_snapshot') FROM memwatch_snapshot")
        count, size = cursor.fetchone()
    middle = Snapshot.objects.filter(process=first + 7, seq=MINUTES // 2).get()
    return {
        "snapshots": count, "mb": size / 1024**2, "rollups": rollups, "processes": processes, "first": first,
        "busy": busy, "service": services[3].pk, "middle": middle, "slot": fleet[0], "type": types[0].pk,
        "pair": list(Snapshot.objects.filter(process=first, seq__in=(10, 2000)).values_list("pk", flat=True)),
    }  # fmt: skip


def _find(fleet: list[Any]) -> None:
    """A baseline of each process, and open leaks in some."""
    from memwatch.models import Baseline, Leak

    Baseline.objects.bulk_create(
        (
            Baseline(
                service_id=each.service_id, process=each, timestamp=each.started_at, automatic=True,
                heap_used_kib=90_000,
            )
            for each in fleet
        ),
        batch_size=1000,
    )  # fmt: skip
    Leak.objects.bulk_create(
        Leak(
            service_id=each.service_id, process=each, object_type=f"application.module{number % 7}.Class{number % 12}",
            severity=("low", "medium", "high", "critical")[number % 4], initial_count=10, current_count=10_010,
            growth_count=10_000, growth_percent=100_000.0, growth_per_hour=2_500.0, verdict="It grows.",
            evidence={"container": {"type": "dict", "name": f"application.CACHE{number % 12}"}, "padding": "x" * 4000},
        )
        for number, each in enumerate(fleet[:LEAKS])
    )  # fmt: skip


def _roll_up(fleet: list[Any], now: datetime, floors: str) -> int:
    """Hours of two days of all, of a month of some, and their days of more."""
    from django.db import connection

    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    figures = json.dumps({name: [100_000, 110_000, 120_000] for name in FIGURES})
    insert = """
    INSERT INTO memwatch_snapshotrollup (process_id, period, start, samples, figures, floors)
    SELECT p, %s, %s::timestamptz - make_interval(hours => h * %s), 60, {figures}, {floors}
    FROM generate_series(%s, %s) AS h, generate_series(%s, %s) AS p
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, udt_name FROM information_schema.columns WHERE table_name = 'memwatch_snapshotrollup'"
        )
        kinds = dict(cursor.fetchall())
        values, places = [], {}
        for name, text in (("figures", figures), ("floors", floors)):
            places[name] = f"%s::{kinds[name]}"
            values.append(_packed(name, text) if kinds[name] == "bytea" else text)
        first, last = fleet[0].pk, fleet[-1].pk
        for period, start, hours, begin, end, until in (
            ("hour", hour, 1, 1, 48, last),
            ("hour", hour, 1, 49, 24 * 30, first + HISTORIC - 1),
            ("day", day, 24, 1, DAYS, first + HISTORIC - 1),
        ):
            cursor.execute(insert.format(**places), [period, start, hours, *values, begin, end, first, until])
        cursor.execute("SELECT count(*) FROM memwatch_snapshotrollup")
        return int(cursor.fetchone()[0])


def _packed(name: str, text: str) -> Any:
    """The value as the model's field keeps it, where that is not JSON."""
    from memwatch.models import SnapshotRollup

    field: Any = SnapshotRollup._meta.get_field(name)
    return field.get_prep_value(json.loads(text))
