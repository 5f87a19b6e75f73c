"""One pass of detection over a fleet, on SQLite and on PostgreSQL: 5,000 processes, an hour of snapshots each.

``python -m benchmarks.detect [--processes 5000] [--snapshots 60] [--only sqlite|postgresql]``. One process in ten
leaks, one in fifty is recycled every few minutes, the rest wobbles; 25 to 40 types each. The first pass opens what
leaks, the next ones follow it, as they do all day. Exits with 1 where a pass takes more than 15 s or 64 MB. On machines
that others use as well, look at the CPU seconds (of the worker; PostgreSQL's own are not in them).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import servers
from benchmarks.simulated import GROWING, RESTARTING, Simulated

MOST_S = 15.0
MOST_MB = 64.0
"""The most that a pass may add to the memory of its process."""
PASSES = 3
ROWS_AT_ONCE = 2_000


def main() -> int:
    """Each database in a process of its own; 1 when one of them is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=5_000)
    parser.add_argument("--snapshots", type=int, default=60, help="of each process, one a minute")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--database", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.database:
        return _run(options)
    codes = []
    if options.only != "postgresql":
        with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
            codes.append(_with_database(f"sqlite:///{folder}/db.sqlite3"))
    if options.only != "sqlite":
        codes.append(_postgresql())
    return max(codes)


def _postgresql() -> int:
    server = servers.postgres()
    if server is None:
        print("postgresql: not installed, left out")
        return 0
    try:
        server.start()
        return _with_database(server.url)
    finally:
        server.stop()


def _with_database(url: str) -> int:
    command = [sys.executable, "-m", "benchmarks.detect", *sys.argv[1:], "--database", url]
    return subprocess.run(command, check=False).returncode


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        _site(Path(folder), options.database)
        from django.db import connection

        from memwatch.models import Leak
        from memwatch.services.leaks import judging

        begin = datetime.now(UTC) - timedelta(minutes=options.snapshots)
        fleet = [Simulated(number, begin) for number in range(options.processes)]
        rows = _store(fleet, options.snapshots)
        leaking = sum(process.kind == GROWING for process in fleet)
        print(f"{connection.vendor}: {rows:,} snapshots of {len(fleet):,} processes, {leaking:,} of them leak")
        slowest = most_mb = 0.0
        for number in range(PASSES):
            now = begin + timedelta(minutes=options.snapshots + number)
            before_mb = _begin_peak_mb()
            started, cpu = time.perf_counter(), time.process_time()
            done = judging.detect(now)
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
            more_mb = _memory_mb("VmHWM") - before_mb
            slowest, most_mb = max(slowest, seconds), max(most_mb, more_mb)
            print(
                f"{connection.vendor}, pass {number + 1}: {seconds:.1f} s ({cpu:.1f} s CPU); {done.judged:,} of "
                f"{done.processes:,} loaded, {done.opened} opened, {done.seen} followed; "
                f"at most {more_mb:.1f} MB more",
                flush=True,
            )
        whole = Leak.objects.filter(process=None).count()
        opened = Leak.objects.filter(process__isnull=False).count()
        ok = slowest <= MOST_S and most_mb <= MOST_MB
        print(f"{connection.vendor}: {opened} leaks of processes, {whole} of services", flush=True)
        print(f"{connection.vendor}: {slowest:.1f} s a pass (at most {MOST_S:.0f} s), {most_mb:.1f} MB (at most "
              f"{MOST_MB:.0f} MB): {'ok' if ok else 'too much'}")  # fmt: skip
    return 0 if ok else 1


def _memory_mb(field: str) -> float:
    """``VmRSS``, or ``VmHWM``: its highest since :func:`_begin_peak_mb`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def _begin_peak_mb() -> float:
    """Resident memory from which the peak is counted on."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory_mb("VmRSS")


def _site(folder: Path, database: str) -> None:
    """An empty, migrated database."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": database,
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_AGENT": "off",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _store(fleet: list[Simulated], snapshots: int) -> int:
    """The rows as ingest would have stored them; how many snapshots."""
    from django.db import connection
    from django.db.models import Max, OuterRef, Subquery

    from memwatch.models import Baseline, Process, Snapshot
    from memwatch.services.ingest.writer import intern

    ids = _processes(fleet, snapshots)
    names = {name for process in fleet for name in process.snapshot(0).top_objects or ()}
    types = intern(names | set(fleet[0].snapshot(0).type_sizes or ()))
    rows: list[Any] = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), disable=not sys.stderr.isatty(),
    ) as progress:  # fmt: skip
        for row in progress.track(_rows(fleet, snapshots, ids, types), len(fleet) * snapshots, description="rows"):
            rows.append(row)
            if len(rows) == ROWS_AT_ONCE:
                Snapshot.objects.bulk_create(rows)
                rows.clear()
    Snapshot.objects.bulk_create(rows)
    newest = Snapshot.objects.filter(process=OuterRef("pk")).order_by("-timestamp")
    Process.objects.update(last_snapshot=Subquery(newest.values("pk")[:1]))
    last = dict(Process.objects.annotate(at=Max("snapshots__timestamp")).values_list("pk", "at"))
    Baseline.objects.bulk_create(
        [
            Baseline(service_id=process.service_id, process=process, automatic=True, timestamp=process.started_at)
            for process in Process.objects.iterator()
            if last[process.pk] is not None
        ],
        batch_size=500,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Snapshot.objects.count()


def _processes(fleet: list[Simulated], snapshots: int) -> dict[str, int]:
    """A row for each life of each process; their ids by key."""
    from memwatch.models import Process, Service

    services: dict[str, Service] = {}
    rows = []
    for process in fleet:
        last = process.life(snapshots - 1)
        for life, seq in {process.life(seq): seq for seq in range(snapshots)}.items():
            info, seen = process.info(seq), process.when(seq)
            service = services.get(info.service) or Service.objects.create(name=info.service)
            services[info.service] = service
            rows.append(
                Process(
                    key=info.key, service=service, host=info.host, pid=info.pid, slot_number=process.number,
                    program=info.program, started_at=info.started_at, first_seen_at=info.started_at,
                    last_seen_at=seen, lease_expires_at=seen + timedelta(minutes=4),
                    ended_at=seen + timedelta(seconds=20) if life < last else None,
                    end_reason="goodbye" if life < last else "", extension_modules=list(info.extension_modules),
                )
            )  # fmt: skip
    Process.objects.bulk_create(rows, batch_size=500)
    return dict(Process.objects.values_list("key", "pk"))


def _rows(fleet: list[Simulated], snapshots: int, ids: dict[str, int], types: dict[str, int]) -> Iterator[Any]:
    from memwatch.models import Snapshot
    from memwatch.queries.series.snapshot_mapping import columns_of

    for seq in range(snapshots):
        for process in fleet:
            taken = process.snapshot(seq)
            key = process.info(seq).key if process.kind == RESTARTING or seq == 0 else process.info().key
            yield Snapshot(
                process_id=ids[key],
                seq=seq,
                timestamp=taken.timestamp,
                received_at=taken.timestamp,
                **columns_of(taken, types),
            )


if __name__ == "__main__":
    sys.exit(main())
