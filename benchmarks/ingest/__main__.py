"""Ingest from the spool into SQLite, as in production: one snapshot a report, many processes, 40 types each.

``python -m benchmarks.ingest [--processes 400] [--rounds 10]``. Exits with 1 below 2,000 snapshots a second.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from memwatch.figures import BigContainer, MemorySnapshot
from memwatch.sampling.identity import ProcessInfo
from memwatch.transport import open_hub, open_uplink
from memwatch.transport.wire import Report

WANTED = 2_000.0
"""Snapshots a second."""
TYPES = 40
MODULES = ("_ssl", "numpy", "lxml", "psycopg_c", "yaml")


def main() -> int:
    """Print snapshots a second, the best of the runs; 1 when that is too few."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=10, help="snapshots of each process in a run")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        url = _site(Path(folder))
        rates = []
        for run in range(options.runs):
            payloads = list(_payloads(options.processes, range(run * options.rounds, (run + 1) * options.rounds)))
            seconds, cpu = _measure(url, payloads)
            rates.append(len(payloads) / seconds)
            each = cpu / len(payloads) * 1e6
            print(f"run {run + 1}: {len(payloads)} snapshots, {rates[-1]:,.0f}/s, {each:.0f} µs CPU each")
        size = sum(path.stat().st_size for path in Path(folder).glob("db.sqlite3*"))
        print(f"database: {size / (len(payloads) * options.runs):,.0f} bytes a snapshot")
    best = max(rates)
    verdict = "ok" if best >= WANTED else "too slow"
    print(f"ingest into SQLite: {best:,.0f} snapshots/s (wanted: {WANTED:,.0f}): {verdict}")
    return 0 if best >= WANTED else 1


def _site(folder: Path) -> str:
    """An empty, migrated database and the URL of an empty spool."""
    url = f"local://{folder}/transport?max_mb=2048"
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_TRANSPORT": url,
        "MEMWATCH_AGENT": "off",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return url


def _measure(url: str, payloads: list[bytes]) -> tuple[float, float]:
    """Seconds and CPU seconds from the first read to the last acknowledgement."""
    from memwatch.services.ingest import ingest_reports

    uplink, hub = open_uplink(url, "bench"), open_hub(url)
    for payload in payloads:
        uplink.send(payload)
    started, cpu = time.perf_counter(), time.process_time()
    result = ingest_reports(hub=hub, limit=len(payloads))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert result.snapshots == len(payloads), result
    hub.close()
    uplink.close()
    return seconds, cpu


def _payloads(processes: int, rounds: range) -> Iterator[bytes]:
    start = datetime.now(UTC) - timedelta(hours=1)
    for seq in rounds:
        for pid in range(1, processes + 1):
            who = ProcessInfo(
                host=f"host{pid % 10}",
                pid=pid,
                started_at=datetime(2026, 1, 31, tzinfo=UTC),
                nonce=f"{pid:08x}",
                service=("web", "worker", "beat")[pid % 3],
                program="gunicorn worker",
                command_line="gunicorn project.wsgi --workers 4",
                python="3.11.7",
                agent="0.1.0",
                extension_modules=MODULES,
            )
            taken = _snapshot(start + timedelta(seconds=60 * seq), seq, pid)
            yield Report(process=who, sent_at=taken.timestamp, lease_s=180, snapshots=((seq, taken),)).encode()


def _snapshot(timestamp: datetime, seq: int, pid: int) -> MemorySnapshot:
    counts = {f"application.module{number % 7}.Class{number}": 60_000 // (number + 1) + seq for number in range(TYPES)}
    return MemorySnapshot(
        timestamp=timestamp,
        heap_size_mb=2048.0,
        heap_limit_source="cgroup",
        heap_used_mb=64.0 + seq / 10,
        heap_committed_mb=80.0,
        pymalloc_used_mb=48.0,
        rss_mb=96.0 + seq / 10,
        vms_mb=300.0,
        cgroup_used_mb=900.0,
        cgroup_limit_mb=2048.0,
        total_objects=120_000 + seq,
        top_objects=counts,
        backfill={"application.late.Type": 3} if seq == 5 else None,
        big_containers=tuple(
            BigContainer(type="list", length=1_000 + seq, holds="bytes", token=140_000_000 + number, entry_bytes=57.5)
            for number in range(5)
        ),
        allocated_blocks=400_000 + seq,
        gc_count=(10, 2, 1),
        gc_threshold=(700, 10, 10),
        gc_collections_gen0=1000 + seq,
        gc_collections_gen1=100,
        gc_collections_gen2=10,
        requests_handled=seq * 60 + pid,
        threads=4,
        census_pause_ms=4.2,
        snapshot_cpu_ms=9.1,
    )


if __name__ == "__main__":
    sys.exit(main())
