"""Ingest from the spool into SQLite and PostgreSQL: snapshots a second, and bytes a snapshot, column by column.

``python -m benchmarks.ingest [--processes 400] [--rounds 20] [--only sqlite|postgresql]``. One snapshot a report, as
agents send them. Exits with 1 below 2,000 snapshots a second into SQLite, or above 600 bytes a row in PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import servers
from benchmarks.simulated import Simulated

WANTED = {"sqlite": 2_000.0, "postgresql": 1_000.0}
"""Snapshots a second."""
MOST_BYTES = 600.0
"""Of a snapshot in PostgreSQL, with its indexes."""


def main() -> int:
    """Each database in a process of its own; 1 when one of them is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=20, help="snapshots of each process in a run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--database", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.database:
        return _run(options)
    codes = [_sqlite()] if options.only != "postgresql" else []
    codes += [_postgresql()] if options.only != "sqlite" else []
    return max(codes)


def _sqlite() -> int:
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        return _with_database(f"sqlite:///{folder}/db.sqlite3")


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
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest", *sys.argv[1:], "--database", url], check=False
    ).returncode


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        transport = _site(Path(folder), options.database)
        from django.db import connection

        vendor = connection.vendor
        fleet = [Simulated(number, datetime.now(UTC) - timedelta(hours=1)) for number in range(options.processes)]
        rates = []
        for run in range(options.runs):
            seqs = range(run * options.rounds, (run + 1) * options.rounds)
            payloads = [process.report(seq).encode() for seq in seqs for process in fleet]
            seconds, cpu = _measure(transport, payloads)
            rates.append(len(payloads) / seconds)
            each = cpu / len(payloads) * 1e6
            print(f"{vendor}, run {run + 1}: {len(payloads)} snapshots, {rates[-1]:,.0f}/s, {each:.0f} µs CPU each")
        size = _bytes_each(vendor)
    best = max(rates)
    fast = best >= WANTED[vendor]
    small = vendor != "postgresql" or size <= MOST_BYTES
    print(f"{vendor}: {best:,.0f} snapshots/s (wanted: {WANTED[vendor]:,.0f}): {'ok' if fast else 'too slow'}")
    limit = f" (at most {MOST_BYTES:,.0f}): {'ok' if small else 'too big'}" if vendor == "postgresql" else ""
    print(f"{vendor}: {size:,.0f} bytes a snapshot with its indexes{limit}", flush=True)
    return 0 if fast and small else 1


def _site(folder: Path, database: str) -> str:
    """An empty, migrated database and the URL of an empty spool."""
    url = f"local://{folder}/transport?max_mb=2048&max_files=1000000"
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": database,
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
    """Seconds and CPU seconds of this process from the first read to the last acknowledgement."""
    from memwatch.services.ingest.reader import ingest_reports
    from memwatch.transport import open_hub, open_uplink

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


def _bytes_each(vendor: str) -> float:
    """Of a snapshot with its indexes; where they go is printed."""
    from django.db import connection

    from memwatch.models import Snapshot

    rows = Snapshot.objects.count()
    table = Snapshot._meta.db_table
    with connection.cursor() as cursor:
        if vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
            return float(cursor.fetchone()[0]) / rows  # the few other rows are counted with them
        columns = [str(field.column) for field in Snapshot._meta.concrete_fields]
        sums = ", ".join(
            f'coalesce(avg(pg_column_size("{column}")) * count("{column}") / count(*), 0)' for column in columns
        )
        cursor.execute(f'SELECT {sums} FROM "{table}"')
        found = dict(zip(columns, map(float, cursor.fetchone()), strict=True))
        for column, size in sorted(found.items(), key=lambda item: -item[1])[:8]:
            print(f"    {size:6.1f}  {column}")
        print(f"    {sum(found.values()):6.1f}  all {len(found)} columns")
        cursor.execute(f"SELECT pg_table_size('{table}')")
        whole = float(cursor.fetchone()[0]) / rows
        print(f"    {whole:6.1f}  the row in its page")
        cursor.execute(
            "SELECT indexrelid::regclass, pg_relation_size(indexrelid) FROM pg_index WHERE indrelid = %s::regclass",
            [table],
        )
        for name, size in cursor.fetchall():
            print(f"    {size / rows:6.1f}  {name}")
            whole += size / rows
    return whole


if __name__ == "__main__":
    sys.exit(main())
