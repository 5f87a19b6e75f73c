"""The container's figures: who reports them, how often, and what they are in a real cgroup."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memwatch.agent.surroundings import LOOK_EVERY_S, SELDOM_S, SurroundingsWatch
from memwatch.detection.surroundings.container import sentences
from memwatch.records.surroundings import Surroundings
from memwatch.sampling.limits import LimitReader
from memwatch.sampling.surroundings.processes import Budget, Processes, see
from memwatch.transport import open_hub
from memwatch.transport.wire import Report
from tests.waiting import until

MB = 1024 * 1024


def container(folder: Path, *pids: int) -> LimitReader:
    """A cgroup with a limit of 1 GB and these processes, in a made-up /sys."""
    place = folder / "sys/fs/cgroup/app"
    place.mkdir(parents=True, exist_ok=True)
    for name, content in {
        "memory.max": 1024 * MB, "memory.current": 600 * MB, "memory.stat": f"anon {500 * MB}\nfile {80 * MB}",
        "cgroup.procs": "\n".join(map(str, pids)),
    }.items():  # fmt: skip
        (place / name).write_text(f"{content}\n")
    proc = folder / "proc"
    proc.mkdir(exist_ok=True)
    (proc / "cgroup").write_text("0::/app\n")
    (proc / "mountinfo").write_text("31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    return LimitReader(proc=proc, root=folder)


class Time:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def watch(limits: LimitReader, *agents: int, budget_s: float = 60.0) -> tuple[SurroundingsWatch, Time]:
    clock = Time()
    processes = Processes(lambda pid: pid in agents)
    return SurroundingsWatch(
        limits=limits, processes=processes, budget=lambda: Budget(budget_s), clock=clock
    ), clock  # fmt: skip


def test_the_only_watched_process_reports_once_a_minute(tmp_path: Path) -> None:
    looking, clock = watch(container(tmp_path, os.getpid()), os.getpid())
    found = looking.look()
    assert found is not None
    assert (found.used_mb, found.limit_mb, found.anon_mb, found.file_mb) == (600, 1024, 500, 80)
    assert (found.watched, found.watched_pids, found.unwatched) == (1, (os.getpid(),), 0)
    assert found.peak_mb is None
    clock.now = LOOK_EVERY_S - 1
    assert looking.look() is None
    clock.now = LOOK_EVERY_S
    assert looking.look() is not None


def test_an_older_watched_process_reports_and_the_next_one_takes_over_when_it_ends(tmp_path: Path) -> None:
    parent = os.getppid()
    looking, clock = watch(container(tmp_path, parent, os.getpid()), parent, os.getpid())
    assert looking.look() is None
    container(tmp_path, os.getpid())  # it has left, but lives: it may be back
    clock.now = 60.0
    assert looking.look() is None


def test_after_the_end_of_the_older_one_the_next_one_reports(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    looking, clock = watch(container(tmp_path, other.pid, os.getpid()), os.getpid())
    looking._elder = see(other.pid)
    assert looking.look() is None
    other.communicate()
    clock.now = 60.0
    assert looking.look() is not None


def test_without_a_container_it_is_not_asked_again_for_ten_minutes(tmp_path: Path) -> None:
    looking, clock = watch(LimitReader(proc=tmp_path / "none", root=tmp_path), os.getpid())
    assert looking.look() is None
    container(tmp_path, os.getpid())
    clock.now = SELDOM_S - 1
    assert looking.look() is None


def test_a_container_too_large_for_the_budget_is_looked_at_seldom_and_its_memory_is_told(tmp_path: Path) -> None:
    looking, clock = watch(container(tmp_path, os.getpid()), os.getpid(), budget_s=0.0)
    found = looking.look()
    assert found is not None
    assert not found.complete
    assert found.used_mb == 600
    clock.now = SELDOM_S - 1
    assert looking.look() is None


@pytest.fixture
def real_cgroup() -> Iterator[Path]:
    """A memory cgroup of 400 MB below this process's own."""
    place = LimitReader().place()
    if place is None:
        pytest.skip("no memory cgroup here")
    folder = Path(place.folder) / f"memwatch-{secrets.token_hex(4)}"
    try:
        folder.mkdir()
        (folder / ("memory.max" if place.unified else "memory.limit_in_bytes")).write_text(str(400 * MB))
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no cgroup may be made here: {error}")
    yield folder
    until(lambda: not (folder / "cgroup.procs").read_text(), within_s=10)
    folder.rmdir()


CODE = """
import os, subprocess, sys
open(CGROUP + "/cgroup.procs", "w").write(str(os.getpid()))
held = "import sys; held = bytearray(b'x') * 100_000_000; print('ready', flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
open(FILE, "wb").write(b"x" * 60_000_000)
from memwatch import agent
agent.start(agent.AgentConfig(transport=URL, command_key="k", host="h", service="s", snapshot_interval=0.2))
print(child.pid, flush=True)
sys.stdin.read()
child.communicate()
os.remove(FILE)
"""


def test_an_agent_in_a_real_cgroup_says_what_fills_it(real_cgroup: Path, tmp_path: Path) -> None:
    url = f"local://{tmp_path}/transport"
    head = f"CGROUP, FILE, URL = {str(real_cgroup)!r}, {str(tmp_path / 'big')!r}, {url!r}\n"
    watched = subprocess.Popen(
        [sys.executable, "-c", head + CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert watched.stdout is not None
    other = int(watched.stdout.readline())
    hub = open_hub(url)
    found: list[Surroundings] = []

    def reported() -> list[Surroundings]:
        deliveries = hub.read(limit=100)
        hub.acknowledge(deliveries)
        reports = [Report.decode(delivery.payload) for delivery in deliveries]
        found.extend(report.surroundings for report in reports if report.surroundings is not None)
        return found

    try:
        until(reported)
    finally:
        watched.communicate()
        hub.close()
    (surroundings,) = found  # once a minute, however often snapshots are taken
    assert surroundings.limit_mb == pytest.approx(400)
    assert 95 < (surroundings.anon_mb or 0) < 200
    assert surroundings.watched_pids == (watched.pid,)
    assert [each.pid for each in surroundings.largest] == [other]
    assert 95 < (surroundings.unwatched_mb or 0) < 130
    said = " ".join(sentences(surroundings))
    assert "MB is in processes that memwatch does not watch: python" in said
