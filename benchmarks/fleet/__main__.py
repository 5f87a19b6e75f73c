"""A fleet of thousands of simulated processes against PostgreSQL and Redis: ``make bench-fleet PROCESSES=5000``.

It starts both servers, gives every process an hour of history, then lets simulated agents report over Redis at the
true rate while workers ingest, judge and alert as beat would have them; the first interval, in which everybody comes
back after the time that the history took to make, is not counted. Then it fills the stream and drains it, with
one ingester and with two, to find the ceiling and what gives first; last it asks for the pages. Exits with 1 when a
target is missed. What shares the machine with it shares the figures.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import servers
from benchmarks.fleet.children import Child
from benchmarks.simulated import RESTARTING, Simulated
from tests.servers import Server

LAG_P95_S, CPU_SHARE, CEILING = 10.0, 0.60, 1_000.0
DETECT_S, OVERVIEW_MS, PROCESSES_MS = 15.0, 300.0, 200.0
AGENTS_EACH = 1_700
"""Simulated agents in one process: each has three files open, at times four."""
HALVES = (0, 1)
"""Of the fleet: one for each core, to write its history."""
COMMAND_KEY = "bench"


class Report:
    """The lines printed, and whether a target was missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def line(self, what: str, value: str, target: str = "", ok: bool = True) -> None:
        """One figure, with its target where it has one."""
        verdict = f"  (target {target}: {'ok' if ok else 'MISSED'})" if target else ""
        print(f"  {what:<44}{value:>14}{verdict}", flush=True)
        if not ok:
            self.missed.append(what)


def main() -> int:
    """Print every figure; 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--processes", type=int, default=5_000)
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two snapshots of a process")
    parser.add_argument("--history", type=int, default=60, help="snapshots every process has before it begins")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long the agents report at the true rate")
    parser.add_argument("--backlog", type=int, default=20_000, help="reports drained to find the ceiling")
    options = parser.parse_args()
    postgres, redis = servers.postgres(), servers.redis()
    if postgres is None or redis is None:
        print("needs PostgreSQL and redis-server, e.g. apt-get install postgresql redis-server")
        return 1
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        try:
            postgres.start()
            redis.start()
            _site(Path(folder), postgres.url, f"{redis.url}?maxlen=1000000", options.interval)
            return Fleet(options, postgres, redis).run()
        finally:
            redis.stop()
            postgres.stop()


def _site(folder: Path, database: str, transport: str, interval_s: float) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": database,
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_TRANSPORT": transport,
        "MEMWATCH_SNAPSHOT_INTERVAL": str(interval_s),
        "MEMWATCH_COMMAND_KEY": COMMAND_KEY,
        "MEMWATCH_AGENT": "off",
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


class Fleet:
    """The benchmark's parts, one after the other."""

    def __init__(self, options: argparse.Namespace, postgres: Server, redis: Server) -> None:
        self.options, self.servers = options, {"postgresql": postgres, "redis": redis}
        self.report = Report()
        self.begin = datetime.now(UTC) - timedelta(seconds=options.history * options.interval)
        self.processes = [Simulated(number, self.begin, options.interval) for number in range(options.processes)]

    def run(self) -> int:
        """All of it."""
        self._history()
        self._steady()
        self._ceiling()
        self._pages()
        self._prune()
        print("missed: " + ", ".join(self.report.missed) if self.report.missed else "all targets met")
        return bool(self.report.missed)

    def _history(self) -> None:
        """The first and the last snapshots go through the ingest, which enrols; those between straight into rows."""
        from django.db import connection

        from memwatch.models import Snapshot
        from memwatch.services.ingest import reader

        count = self.options.history
        living = [process for process in self.processes if process.kind != RESTARTING]
        with _progress() as progress:
            task = progress.add_task("history", total=2 + len(HALVES) * max(0, count - 2))
            _take(reader, [process.report(0).encode() for process in living])
            progress.advance(task)
            writers = [Child("history", *self._part_of_history(half)) for half in HALVES]
            while any(writer.runs() for writer in writers):
                time.sleep(1)
                progress.update(task, completed=1 + sum(writer.lines_so_far() for writer in writers))
            for writer in writers:
                writer.lines()
            _take(reader, [process.report(count - 1).encode() for process in living])
            progress.advance(task)
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
        print(f"history: {Snapshot.objects.count():,} snapshots of {len(living):,} processes", flush=True)

    def _part_of_history(self, half: int) -> list[str]:
        numbers = (
            self.options.interval,
            self.options.history,
            *(self.options.processes * edge // len(HALVES) for edge in (half, half + 1)),
        )
        return [self.begin.isoformat(), *map(str, numbers)]

    def _steady(self) -> None:
        seconds = self.options.seconds
        rate = self.options.processes / self.options.interval
        print(f"{self.options.processes:,} processes, one snapshot every {self.options.interval:g} s ({rate:.0f}/s):")
        agents = [
            Child("agents", *self._agents(first, min(first + AGENTS_EACH, self.options.processes)))
            for first in range(0, self.options.processes, AGENTS_EACH)
        ]
        whole = str(seconds + self.options.interval)
        ingester = Child("worker", whole, "ingest_reports", "take_snapshots")
        judge = Child("worker", whole, "detect_leaks", "check_alerts", "end_stale_processes")
        time.sleep(self.options.interval)
        counted_from = time.time()
        before = {name: _cpu(server) for name, server in self.servers.items()}
        with _progress() as progress:
            task = progress.add_task("at the true rate", total=seconds)
            for _second in range(int(seconds)):
                time.sleep(1)
                progress.advance(task)
        runs = [run for run in (*ingester.lines(), *judge.lines()) if run["began"] >= counted_from]
        sent = [line for process in agents for line in process.lines()]
        self._tell_steady(runs, sent, before)

    def _agents(self, first: int, last: int) -> list[str]:
        settings = os.environ["MEMWATCH_TRANSPORT"], COMMAND_KEY, self.begin.isoformat()
        numbers = self.options.interval, self.options.interval + self.options.seconds, first, last
        return [*settings, *map(str, numbers)]

    def _tell_steady(self, runs: list[Any], sent: list[Any], before: dict[str, float]) -> None:
        seconds = self.options.seconds
        lags = [lag for run in runs for lag in run["lags"]]
        p50, p95 = median(lags), quantiles(lags, n=20)[-1]
        took = {name: [run["seconds"] for run in runs if run["task"] == name] for name in {run["task"] for run in runs}}
        own = sum(run["cpu"] for run in runs if run["task"] in ("ingest_reports", "take_snapshots")) / seconds
        line = self.report.line
        line("reports sent, the first interval included", f"{sum(item['sent'] for item in sent):,}")
        line("snapshots stored meanwhile", f"{len(lags):,}")
        line("agents late at most", f"{max(item['late_s'] for item in sent):.1f} s")
        line("lag from taken to stored, p50", f"{p50:.1f} s")
        line("lag from taken to stored, p95", f"{p95:.1f} s", f"{LAG_P95_S:g} s", p95 <= LAG_P95_S)
        line("CPU of the ingest", f"{own:.0%} of a core", f"{CPU_SHARE:.0%}", own < CPU_SHARE)
        for name, server in self.servers.items():
            line(f"CPU of {name}, all work", f"{(_cpu(server) - before[name]) / seconds:.0%} of a core")
        longest = max(took.get("detect_leaks", [0.0]))
        line("detection pass, the longest", f"{longest:.1f} s", f"{DETECT_S:g} s", longest <= DETECT_S)
        for name in sorted(took.keys() - {"detect_leaks"}):
            line(f"{name}, the longest run", f"{max(took[name]):.1f} s")

    def _ceiling(self) -> None:
        """Fill the stream, drain it: with one ingester, then with two at once."""
        print(f"ceiling, a backlog of {self.options.backlog:,} reports:")
        seq = max(process.next_after(datetime.now(UTC)) for process in self.processes[:100]) + 2
        for workers in (1, 2):
            seq = self._fill(seq)
            before = {name: _cpu(server) for name, server in self.servers.items()}
            drains = [Child("worker", "drain") for _ in range(workers)]
            results = [line for process in drains for line in process.lines()]
            seconds = max(result["seconds"] for result in results)
            rate = sum(result["snapshots"] for result in results) / seconds
            target = (f"{CEILING:,.0f}/s", rate >= CEILING) if workers == 1 else ("", True)
            self.report.line(f"{workers} ingester{'s' * (workers > 1)}", f"{rate:,.0f}/s", *target)
            spent = {"the ingester itself": sum(result["cpu"] for result in results)}
            spent |= {name: _cpu(server) - before[name] for name, server in self.servers.items()}
            stored = sum(result["snapshots"] for result in results)
            for name, cpu in spent.items():
                share = cpu / seconds / (workers if name == "the ingester itself" else 1)
                self.report.line(f"  {name}", f"{share:.0%} of a core")
                self.report.line(f"  {name}, for each snapshot", f"{cpu / stored * 1e6:,.0f} µs CPU")
            self.report.line("  gives first", max(spent, key=lambda name: spent[name]))

    def _fill(self, seq: int) -> int:
        """Enough snapshots of living processes in the stream; the number after the last."""
        from memwatch.transport import open_uplink

        living = [process for process in self.processes if process.kind != RESTARTING]
        uplink = open_uplink(os.environ["MEMWATCH_TRANSPORT"], "filler")
        sent = 0
        with _progress() as progress:
            task = progress.add_task("filling the stream", total=self.options.backlog)
            while sent < self.options.backlog:
                for process in living[: self.options.backlog - sent]:
                    uplink.send(process.report(seq).encode())
                sent += min(len(living), self.options.backlog - sent)
                seq += 1
                progress.update(task, completed=sent)
        uplink.close()
        return seq

    def _pages(self) -> None:
        from benchmarks.fleet.pages import server_times

        print("server time, once:")
        targets = {"overview": OVERVIEW_MS, "/api/v1/processes/": PROCESSES_MS}
        for what, (spent, cpu) in server_times().items():
            target = (f"{targets[what]:g} ms", spent <= targets[what]) if what in targets else ("", True)
            self.report.line(what, f"{spent:,.0f} ms", *target)
            self.report.line("  its CPU in Python", f"{cpu:,.0f} ms")

    def _prune(self) -> None:
        """Roll-ups of the hour, and what is old goes: as if three days had passed."""
        from memwatch.services import retention
        from memwatch.services.rollups import roll_up

        print("roll-up and retention:")
        later = datetime.now(UTC) + timedelta(hours=1)
        started = time.monotonic()
        written = sum(roll_up(later))
        spent = time.monotonic() - started
        self.report.line(f"roll-up of {written:,} process hours and days", f"{spent:.1f} s")
        started = time.monotonic()
        result = retention.prune(later + timedelta(days=3))
        spent = time.monotonic() - started
        self.report.line(f"pruning of {result.snapshots:,} snapshots", f"{result.snapshots / spent:,.0f}/s")
        self.report.line("  room for new rows", f"{(result.freed_bytes or 0) / 2**20:,.0f} MB")


def _take(ingest: Any, payloads: list[bytes]) -> None:
    for start in range(0, len(payloads), 200):
        ingest.take(payloads[start : start + 200])


@contextmanager
def _progress() -> Iterator[Progress]:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        yield progress


def _cpu(server: Server) -> float:
    """CPU seconds of the server and its children so far."""
    assert server.process is not None
    main = psutil.Process(server.process.pid)
    spent = 0.0
    for process in (main, *main.children(recursive=True)):
        times = process.cpu_times()
        spent += times.user + times.system
    times = main.cpu_times()
    return float(spent + times.children_user + times.children_system)


if __name__ == "__main__":
    raise SystemExit(main())
