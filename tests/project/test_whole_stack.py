"""The main job, end to end, as `make run` does it, with files alone and with PostgreSQL and Redis."""

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.project.stack import Stack
from tests.waiting import until

pytestmark = pytest.mark.deployment

WATCHED = {"web": 3, "worker": 3, "beat": 1, "exporter": 1}
"""Processes with an agent: gunicorn's and Celery's main, two children of each, beat, the exporter."""
MOST_PSS_MB = 400
"""Of all processes together once the web has served something; 333 before."""


def services(rows: list[dict]) -> Counter[str]:
    return Counter(row["service"] for row in rows if not row["outside"])


def check_that_all_is_watched(stack: Stack) -> None:
    def all_there():
        rows = stack.watched()
        counted = all(row["outside"] or (row["last_snapshot"] or {}).get("total_objects") for row in rows)
        return rows if counted and services(rows) >= Counter(WATCHED) else None

    rows = stack.wait_for(all_there, 60)
    for row in (row for row in rows if not row["outside"]):
        figures = row["last_snapshot"]
        age = datetime.now(UTC) - datetime.fromisoformat(figures["timestamp"])
        assert age.total_seconds() < 15, row
        assert (figures["total_objects"] or 0) > 10_000, row
        for name in ("heap_used_mb", "heap_size_mb", "heap_percent", "rss_mb", "vms_mb", "top_objects", "gc_count"):
            assert figures[name], (name, row)


def check_that_it_stops_clean(stack: Stack, number: signal.Signals) -> None:
    assert stack.stop(number) < 10
    assert "is killed" not in stack.log()
    assert stack.processes() == []
    assert stack.errors() == []


def check_the_metrics(stack: Stack) -> None:
    slots = ("web-1", "web-2", "web-3", "worker-1", "worker-2", "worker-3", "beat-1")
    for port in (stack.port, stack.exporter_port):
        stack.wait_for(lambda port=port: all(f'slot="{s}"' in stack.text("/metrics", port=port) for s in slots), 15)
        assert "fogcompute_memory_leak_detections_total" in stack.text("/metrics", port=port)


def check_that_no_program_has_the_password(stack: Stack) -> None:
    assert "MEMWATCH_ADMIN_PASSWORD" in stack.environment
    for process in stack.processes():
        assert "MEMWATCH_ADMIN_PASSWORD" not in process.environ(), process.cmdline()


def test_on_files_alone(tmp_path: Path):
    with Stack(tmp_path) as stack:
        check_that_all_is_watched(stack)
        check_that_no_program_has_the_password(stack)
        check_the_metrics(stack)
        figures_move(stack)
        taken = [(round(pss_mb(process.pid)), " ".join(process.cmdline())) for process in stack.processes()]
        assert sum(mb for mb, _program in taken) < MOST_PSS_MB, taken
        check_that_it_stops_clean(stack, signal.SIGINT)


def pss_mb(pid: int) -> float:
    """Of memory that several processes share, each has its part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def test_a_worker_whose_beat_has_died_starts_again_with_a_new_one(tmp_path: Path, migrated: Path):
    with Stack(tmp_path).on_copy_of(migrated) as stack:
        check_that_all_is_watched(stack)
        (beat,) = (row["pid"] for row in stack.watched() if row["service"] == "beat")
        os.kill(beat, signal.SIGKILL)
        stack.wait_for(lambda: {row["pid"] for row in stack.watched() if row["service"] == "beat"} - {beat}, 60)
        stack.wait_for(lambda: "worker ended (exit code 1); starting it again" in stack.log(), 10)
        assert [line for line in stack.errors() if "beat has ended (exit code -9)" not in line] == []


def test_it_stops_clean_on_a_busy_machine(tmp_path: Path, migrated: Path):
    with contextlib.ExitStack() as busy, Stack(tmp_path).on_copy_of(migrated) as stack:
        check_that_all_is_watched(stack)
        for _ in range(3 * (os.cpu_count() or 1)):
            loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            busy.callback(loop.wait)
            busy.callback(loop.kill)
        check_that_it_stops_clean(stack, signal.SIGTERM)


def figures_move(stack: Stack) -> None:
    before = {row["id"]: row["last_snapshot"]["id"] for row in stack.watched()}
    stack.wait_for(lambda: all(row["last_snapshot"]["id"] > before.get(row["id"], 0) for row in stack.watched()), 20)


@pytest.mark.postgres
@pytest.mark.redis
def test_on_postgresql_and_redis(tmp_path: Path, postgres_url: str, redis_url: str):
    with Stack(
        tmp_path,
        DATABASE_URL=postgres_url,
        REDIS_URL=f"{redis_url.rstrip('/')}/1" if redis_url.count("/") < 3 else redis_url,
        MEMWATCH_TRANSPORT=redis_url,
    ) as stack:
        check_that_all_is_watched(stack)
        check_the_metrics(stack)
        figures_move(stack)
        check_that_it_stops_clean(stack, signal.SIGTERM)


def test_kills_lose_nothing_store_nothing_twice_and_leave_nothing(tmp_path: Path, migrated: Path):
    with Stack(tmp_path).on_copy_of(migrated) as stack:
        check_that_all_is_watched(stack)
        victims = [row for row in stack.watched() if row["service"] in ("web", "worker")]
        for row in victims:
            os.kill(row["pid"], signal.SIGKILL)
        old = {row["pid"] for row in victims}
        stack.wait_for(lambda: services(r for r in stack.watched() if r["pid"] not in old) >= Counter(WATCHED), 60)
        rows = stack.rows("/api/v1/snapshots/?page_size=1000")
        seen = [(row["process"], row["seq"]) for row in rows]
        assert len(seen) == len(set(seen))
        outside = {row["id"] for row in stack.rows("/api/v1/processes/?page_size=1000") if row["outside"]}
        for process in {process for process, _seq in seen} - outside:  # whose snapshots are numbered by their time
            numbers = sorted(seq for owner, seq in seen if owner == process)
            assert numbers == list(range(numbers[0], numbers[-1] + 1)), f"a snapshot of process {process} is missing"

        stack.process.kill()
        stack.process.wait()
        until(lambda: not stack.processes(), within_s=15, seen=stack.processes)
