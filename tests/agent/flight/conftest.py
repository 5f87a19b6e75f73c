"""Processes with agents of their own that die in all ways, watched by an agent of the test's process."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memwatch.agent.flight import watcher
from memwatch.records.flight import Death
from tests.agent.conftest import KEY, Watched
from tests.waiting import until

HEAD = """
import os, signal, sys, threading, time
from memwatch import agent
from memwatch.agent import lifecycle
from memwatch.agent.flight import ending
from memwatch.agent.work import meter
from memwatch.transport.flights import folder

lifecycle.START_DELAY_S = 0.05
meter.begin_process(recorded=True)
where = folder.folder_of(URL)

def start(**values):
    settings = {"snapshot_interval": 0.3, "host": "here", **values}
    return agent.start(agent.AgentConfig(transport=URL, command_key=KEY, **settings), delay_s=0)

def own_file():
    if not os.path.isdir(where.path / "flights"):
        return []
    return [name for name in os.listdir(where.path / "flights") if f"-{os.getpid()}-" in name and name[0] != "."]

def ready(condition=own_file, *, reported=True):
    deadline = time.monotonic() + 60
    while not condition() or (reported and not agent.current()._reported):
        assert time.monotonic() < deadline, "not ready within 60 s"
        time.sleep(0.02)
    print("ready", flush=True)
    sys.stdin.read()
"""


class Guest:
    """A process of a test; its standard input is a pipe, and its end lets it go on."""

    def __init__(self, url: str, code: str) -> None:
        head = f"URL = {url!r}\nKEY = {KEY!r}\n{HEAD}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", head + textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid

    def ready(self) -> Guest:
        """Itself, once it has said so."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said == "ready\n", (said, self.end())
        return self

    def end(self) -> tuple[str, str]:
        """Let it go on to its end; what it printed and complained."""
        return self.process.communicate(timeout=30)

    def kill(self) -> None:
        """SIGKILL, and reap it."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"local://{tmp_path}/transport"


@pytest.fixture
def flights(tmp_path: Path) -> Path:
    return tmp_path / "transport" / "flights"


@pytest.fixture
def guest(url: str) -> Iterator[Callable[[str], Guest]]:
    made: list[Guest] = []

    def start(code: str) -> Guest:
        made.append(Guest(url, code))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watchers of the test's process look more often."""
    monkeypatch.setattr(watcher, "EVERY_S", 0.2)
    monkeypatch.setattr(watcher, "SELDOM_S", 0.4)
    monkeypatch.setattr(watcher, "NOTES_S", 0.5)


def deaths_of(watched: Watched) -> list[Death]:
    return [death for report in watched.collect() for death in report.deaths]


def death_of(watched: Watched, pid: int) -> Death:
    """The end of a process, once it was reported."""

    def reported() -> Death | None:
        return next((death for death in deaths_of(watched) if death.flight and death.flight.pid == pid), None)

    found = until(reported, within_s=20, seen=lambda: watched.reports[-3:])
    assert found is not None
    return found


def pidfds_of(pid: int) -> set[int]:
    """The processes of which this one holds pidfds."""
    found: set[int] = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has just been closed
            found.update(map(int, re.findall(r"^Pid:\t(\d+)$", info.read_text(), re.MULTILINE)))
    return found - {pid}


def has_met(watched: Watched, many: int = 1) -> None:
    """Wait until it holds pidfds of the others."""
    others = watched.agent._flight._watcher.others.pidfds
    until(lambda: len([other for other in others.values() if other is not None]) >= many)
