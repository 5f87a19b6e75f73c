"""The same program twice: one is told by memwatch to trim, the other by gdb."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from memwatch.transport import Hub, open_hub
from memwatch.transport.recordings import join
from memwatch.transport.wire import Command, Report

KEY = "benchmark"
LONGEST_S = 60.0


class Program:
    """A child of this process."""

    def __init__(self, kind: str, megabytes: float, seed: int, transport: str, setting: str) -> None:
        command = [sys.executable, "-m", "benchmarks.trim.program", kind, str(megabytes), str(seed), transport, KEY]
        name, _, value = setting.partition("=")
        environment = {**os.environ, **({name: value} if name else {})}
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line: str = self._process.stdout.readline()
        return line.strip()

    def rss_mb(self) -> float:
        """Resident memory."""
        rss: int = psutil.Process(self.pid).memory_info().rss
        return rss / 2**20

    def held_ms(self) -> float:
        """The longest time that a thread which allocates was held up since the last question."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def program(kind: str, megabytes: float, seed: int, setting: str = "") -> Iterator[tuple[Program, Hub]]:
    """The watched program, and the server's end of its transport."""
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        hub = open_hub(f"local://{folder}")
        running = Program(kind, megabytes, seed, f"local://{folder}", setting)
        try:
            yield running, hub
        finally:
            running.close()
            hub.close()


def _reports(hub: Hub) -> list[Report]:
    deliveries = hub.read(limit=1000)
    hub.acknowledge(deliveries)
    return [Report.decode(delivery.payload) for delivery in deliveries]


def by_memwatch(kind: str, megabytes: float, seed: int) -> dict[str, Any]:
    """Its result, and ``held_ms``: for how long another thread was held up."""
    deadline = time.monotonic() + LONGEST_S
    with program(kind, megabytes, seed) as (running, hub):
        key = ""
        while not key:
            key = next((report.process.key for report in _reports(hub)), "")
            time.sleep(0.05)
        running.held_ms()
        wanted = secrets.token_hex(8)
        command = Command.make("record", key, recording=wanted, kind="trim", options={"max_pause_ms": 30_000})
        answer = hub.request({key: command.encode(KEY)}, timeout_s=30)[key]
        (said,) = Report.decode(answer).answers
        if said.state != "done":
            raise RuntimeError(f"refused: {said.detail}")
        parts: list[Any] = []
        while time.monotonic() < deadline:
            parts += [part for each in _reports(hub) for part in each.recordings if part.state != "running"]
            if parts and parts[0].state != "done":
                raise RuntimeError(f"failed: {parts[0].error}")
            if parts and len(parts) >= parts[0].parts:
                return {**json.loads(join(parts) or b""), "held_ms": running.held_ms()}
            time.sleep(0.05)
    raise RuntimeError("it did not end")


def by_gdb(kind: str, megabytes: float, seed: int) -> tuple[float, float, float]:
    """RSS before and after, and for how long a thread was held up: gdb stops all of them."""
    with program(kind, megabytes, seed) as (running, hub):
        while not _reports(hub):
            time.sleep(0.05)
        running.held_ms()
        before = running.rss_mb()
        command = ["gdb", "-nx", "-batch", "-p", str(running.pid), "-ex", "call (int)malloc_trim(0)"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if "$1 = " not in done.stdout:
            raise RuntimeError(f"gdb called nothing: {Path(command[0]).name}: {done.stderr.strip()[-300:]}")
        return before, running.rss_mb(), running.held_ms()


def rss_with(kind: str, megabytes: float, seed: int, setting: str) -> float:
    """Resident memory of the program with a variable in its environment."""
    with program(kind, megabytes, seed, setting) as (running, _hub):
        return running.rss_mb()
