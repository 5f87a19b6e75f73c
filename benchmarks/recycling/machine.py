"""The servers of the benchmark, their memory, and the server's end of memwatch in this process."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks.deaths.cgroup import Group

SITE = Path(__file__).parent / "site"
WORKERS = 3


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A program whose children do the work."""

    def __init__(
        self, service: str, folder: Path, environment: Mapping[str, str], *command: str, group: Group | None = None
    ) -> None:
        self.service, self.group = service, group
        self.killed_at: float | None = None
        """Seconds of ``time.monotonic`` at which the kernel had first killed one of its processes."""
        self.room_mb = 0.0
        self.port = free_port()
        self.peak_mb = 0.0
        self.fewest = WORKERS
        self._began_mb = self._most_mb = 0.0
        self._log = (folder / f"{service}.log").open("ab")
        self._process = subprocess.Popen(
            [
                *(group.entering() if group else ()),
                sys.executable,
                "-m",
                *(part.format(port=self.port) for part in command),
            ],
            cwd=SITE,
            env={**os.environ, **environment, "MEMWATCH_SERVICE": service},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def children(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return [
                each for each in psutil.Process(self._process.pid).children() if "resource_tracker" not in _line(each)
            ]
        return []

    def wait(self, *, answers: bool) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(self.children()) < WORKERS:
            time.sleep(0.1)
        while answers and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/page", timeout=5)
                return
            time.sleep(0.2)

    def limit(self, room_mb: float) -> None:
        """Give its cgroup so much more than it holds now."""
        if self.group is not None:
            self.room_mb = room_mb
            self._began_mb = self.group.held_mb
            self.group.limit(self._began_mb + room_mb)

    @property
    def used_mb(self) -> float:
        """The most that its cgroup has held beyond what it held when it was limited; pages of files do not count."""
        return self._most_mb - self._began_mb if self.group else 0.0

    def look(self, *, memory: bool) -> None:
        """Count those that live; with ``memory``, what is private of each."""
        living = [each for each in self.children() if _lives(each)]
        self.fewest = min(self.fewest, len(living))
        if memory and self.group is not None:
            self._most_mb = max(self._most_mb, self.group.held_mb)
            if self.killed_at is None and self.group.kills:
                self.killed_at = time.monotonic()
        for each in living if memory else ():
            with contextlib.suppress(psutil.Error):
                private = each.memory_full_info().uss / 2**20
                self.peak_mb = max(self.peak_mb, private)

    def stop(self) -> None:
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self._process.pid).children(recursive=True)
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log.close()


def _line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


class Watch:
    """Looks at the servers all the time, in a thread."""

    def __init__(self, servers: list[Server]) -> None:
        self._servers = servers
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._leaving.set()
        self._thread.join(10)

    def _run(self) -> None:
        number = 0
        while not self._leaving.wait(0.1):
            number += 1
            for server in self._servers:
                server.look(memory=number % 10 == 0)


class Hub:
    """What beat and memwatch's worker do, in a thread of this process: store, follow recordings, recycle."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._leaving = threading.Event()
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._leaving.set()
        self._thread.join(30)

    def _run(self) -> None:
        from django.db import connection

        from memwatch.services.ingest import processes, reader
        from memwatch.services.recordings import progress
        from memwatch.services.recycling import checking

        steps: list[Any] = [reader.ingest_reports, progress.keep_up, processes.end_stale, checking.check]
        while not self._leaving.wait(self._every_s):
            for step in steps:
                try:
                    step()
                except Exception as error:  # noqa: BLE001 - the next turn tries again
                    self.failures.append(f"{step.__name__}: {type(error).__name__}: {error}")
        connection.close()
