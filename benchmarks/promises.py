"""Durations that the documentation promises, measured on a heap of a million scattered objects.

``python -m benchmarks.promises [--objects 1000000]`` prints each promise beside what was measured, and ends with 1
when one is broken. A program that leaks is watched through a spool, asked, forked, recorded and ended.
"""

from __future__ import annotations

import argparse
import atexit
import hashlib
import importlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from benchmarks.census.heap import build, churn
from memwatch.transport import Hub, open_hub
from memwatch.transport.wire import Command, Report

KEY = hashlib.sha256(b"promises").hexdigest()
FORKS = 40
INGEST_S = 5.0
"""How often the server looks for what has arrived: added to what waits for it."""
LONGEST_S = 240.0
KEPT: list[Row] = []


class Row:
    """What leaks."""


def host(folder: str, objects: int) -> None:
    """The watched program: obeys the lines of its standard input, answers with lines of JSON."""
    heap = build(objects)
    churn(heap, objects)
    from memwatch import agent
    from memwatch.agent.config import AgentConfig

    marks: dict[str, float] = {}
    os.register_at_fork(before=lambda: marks.update(out_of_the_way=time.perf_counter()))  # the last one to run
    atexit.register(lambda: _say({"exit_s": time.perf_counter() - marks["leaving"]}))
    threading.Thread(target=_leak, daemon=True).start()
    _say({"started": time.time()})
    agent.start(AgentConfig(transport=f"local://{folder}", command_key=KEY, host="bench", snapshot_interval=5))
    os.register_at_fork(before=lambda: marks.update(forking=time.perf_counter()))
    for line in sys.stdin:
        if line == "fork\n":
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
            _say({"fork_s": marks["out_of_the_way"] - marks["forking"]})
    atexit.register(lambda: marks.update(leaving=time.perf_counter()))


def _say(what: dict[str, float]) -> None:
    print(json.dumps(what), flush=True)


def _leak() -> None:
    while True:
        KEPT.append(Row())
        time.sleep(0.02)


class Program:
    """The watched program, from outside."""

    def __init__(self, folder: str, objects: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.promises", "--host", folder, "--objects", str(objects)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.hub: Hub = open_hub(f"local://{folder}")
        self.started = self.said()["started"]
        self.reports: list[Report] = []

    def said(self) -> dict[str, float]:
        assert self.process.stdout is not None
        found: dict[str, float] = json.loads(self.process.stdout.readline())
        return found

    def tell(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def read(self) -> list[Report]:
        """What has arrived since the last time."""
        deliveries = self.hub.read(limit=100)
        self.hub.acknowledge(deliveries)
        return [Report.decode(delivery.payload) for delivery in deliveries]

    def first(self) -> Report:
        """The first report with a snapshot."""
        while True:
            for report in self.read():
                if report.snapshots:
                    return report
            time.sleep(0.01)

    def ask(self, key: str, name: str, **arguments: Any) -> float:
        """Seconds until the answer."""
        began = time.perf_counter()
        command = Command.make(name, key, **arguments).encode(KEY)
        answers = self.hub.request({key: command}, timeout_s=30)
        (said,) = Report.decode(answers[key]).answers
        if said.state != "done":
            raise RuntimeError(f"{name}: {said.detail}")
        return time.perf_counter() - began

    def record(self, key: str, kind: str, **options: Any) -> tuple[float, dict[str, Any]]:
        """Seconds from the command to the outcome, and what the recording says it has cost."""
        began, wanted = time.perf_counter(), secrets.token_hex(8)
        self.ask(key, "record", recording=wanted, kind=kind, options=options)
        while time.perf_counter() - began < LONGEST_S:
            for part in (part for report in self.read() for part in report.recordings):
                if part.recording == wanted and part.state not in ("running", "done"):
                    raise RuntimeError(f"{kind}: {part.error}")
                if part.recording == wanted and part.state == "done" and part.part == part.parts - 1:
                    return time.perf_counter() - began, dict(part.measured)
            time.sleep(0.05)
        raise RuntimeError(f"{kind} did not end within {LONGEST_S:.0f} s")

    def exit_s(self) -> float:
        """Seconds that the agent keeps the end of the program waiting."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        found = self.said()["exit_s"]
        self.process.wait()
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.hub.close()


def measured(objects: int) -> list[tuple[str, float, float, str]]:
    """Each promise, its limit, what was measured, and the unit."""
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        program = Program(folder, objects)
        try:
            report = program.first()
            first_s = time.time() - program.started
            key, (_seq, snapshot) = report.process.key, report.snapshots[0]
            asked_s = 0.0
            for _ in range(5):
                time.sleep(1.1)  # one a second is allowed
                asked_s = max(asked_s, program.ask(key, "snapshot"))
            forks = []
            for number in range(FORKS):
                if number % 4 == 0:
                    time.sleep(1.1)
                    program.hub.notify({key: Command.make("snapshot", key).encode(KEY)})
                    time.sleep(0.01 * (number // 4))  # amid the census
                program.tell("fork")
                forks.append(program.said()["fork_s"])
            referrers_s, cost = program.record(key, "referrers", type="benchmarks.promises.Row")
            lines_s, _cost = program.record(key, "allocations", type="benchmarks.promises.Row", duration_s=30)
            program.hub.notify({key: Command.make("snapshot", key).encode(KEY)})
            time.sleep(0.02)
            exit_s = program.exit_s()
        finally:
            program.kill()
    print(f"{snapshot.total_objects:,} objects; the census took {snapshot.snapshot_cpu_ms:.0f} ms of CPU")
    return [
        ("the first snapshot within 3 s of the start", 3.0, first_s, "s"),
        ("an answer, as for a reset, within 3 s", 3.0, asked_s, "s"),
        ("a fork waits 0.1 s at most, amid a census too", 0.1, max(forks), "s"),
        ("the end of the process waits 0.3 s at most", 0.3, exit_s, "s"),
        (
            "a census holds the interpreter for 5 ms at a time at most",
            5.0,
            snapshot.census_pause_ms or 0.0,
            "ms",
        ),
        ("a copy holds it for 60 ms at most", 60.0, cost["fork_ms"], "ms"),
        ("who holds it and the line, within 90 s", 90.0, referrers_s + lines_s + 2 * INGEST_S, "s"),
    ]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promises", description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--host", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.host:
        host(chosen.host, chosen.objects)
        return 0
    rows = measured(chosen.objects)
    for promise, limit, value, unit in rows:
        print(f"   {promise:<60}{value:8.2f} {unit:<3}{'' if value <= limit else 'BROKEN'}")
    return int(any(value > limit for _promise, limit, value, _unit in rows))


if __name__ == "__main__":
    # Under its own name: by that the types of a program's own code are called.
    sys.exit(importlib.import_module("benchmarks.promises").main())
