"""One program from its start to its end, in a process of its own: ``python -m benchmarks.deaths.run NAME``.

What came of it is a line of JSON on standard output; how far it is goes to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.deaths import cgroup, judging, truth
from benchmarks.deaths.acting import Stage
from benchmarks.deaths.catalogue import PROGRAMS
from benchmarks.deaths.judging import Desk
from benchmarks.deaths.program import Program
from benchmarks.deaths.serving import BESIDE, Jobs, Site, servers_for

TICK_S = 0.2
READY_S, WARM_S = 600.0, 8.0
"""All processes are known after the first time at the latest, and have been for the second when the program begins."""
LONG_S, CALM_S = 130.0, 8.0
"""So long an answer is waited for, and so long it must have stood."""
SURVIVE_S = 25.0
"""So long nobody must be said to have ended, where none has."""


class Run:
    """One program under way."""

    def __init__(self, site: Site, desk: Desk, stage: Stage, jobs: Jobs, watch: truth.Watch) -> None:
        self._program, self._desk, self._stage = site.program, desk, stage
        self._site, self._jobs, self._watch = site, jobs, watch
        self._known = threading.Event()
        self._failed: str | None = None
        self.began = 0.0

    def whole(self, *, rehearse: bool) -> None:
        """Act in a thread, and keep the desk in this one. Raises :class:`RuntimeError` where it cannot be done."""
        acting = threading.Thread(target=self._act, daemon=True)
        acting.start()
        while acting.is_alive():
            self._tick()
        if self._failed is not None:
            raise RuntimeError(self._failed)
        if rehearse:
            return
        until = time.monotonic() + (LONG_S if self._program.ends else SURVIVE_S)
        calm_since = time.monotonic()
        last: object = None
        while time.monotonic() < until and time.monotonic() < calm_since + CALM_S:
            self._tick()
            now = self._as_told()
            if now != last or not self._is_answered():
                calm_since, last = time.monotonic(), now

    def _tick(self) -> None:
        self._desk.work()
        self._site.reap()
        enough = self._desk.alive() >= self._program.watched
        if enough and (not self._program.beside or self._desk.alive(BESIDE)):
            self._known.set()
        time.sleep(TICK_S)

    def _act(self) -> None:
        try:
            self._stage.serve()
            busy = self._jobs.short_ones() if self._program.busy else contextlib.nullcontext()
            if not self._known.wait(READY_S):
                raise AssertionError(f"not all processes are known: {self._site.log[-2000:]}")
            with busy:
                time.sleep(WARM_S)
                for _ in range(4):
                    self._jobs.home()
                time.sleep(2)
                self.began = time.time()
                for step in self._program.do:
                    self._stage.do(step)
                self._wait_for_ends()
        except Exception as error:  # noqa: BLE001 - said at the end, whatever it was
            self._failed = f"{type(error).__name__}: {error}"

    def _wait_for_ends(self) -> None:
        until = time.monotonic() + 60
        while self._program.ends and self.assigned()[2]:
            if time.monotonic() > until:
                raise AssertionError(f"these did not end: {self.assigned()[2]}; {self._stage.seen()}")
            time.sleep(TICK_S)

    def assigned(self) -> tuple[dict[int, Any], list[int], list[Any]]:
        """See :func:`truth.assigned`."""
        ended = [
            (seen.pid, names)
            for seen in self._watch.ended()
            if (names := self._stage.names(seen)) and self._matters(seen, names)
        ]
        return truth.assigned(self._program.ends, ended)

    def _matters(self, seen: truth.Seen, names: frozenset[str]) -> bool:
        """A copy of a process is of interest where the program says so, or where memwatch knew it."""
        if (seen.ended_at or 0.0) < self.began:
            return False
        declared = any(end.who == "forked" for end in self._program.ends)
        return "forked" not in names or declared or self._desk.of(seen.inner_pid, seen.began) is not None

    def _as_told(self) -> list[tuple[int, str]]:
        return [(told.pid, told.reason) for told in self._desk.told.values()]

    def _is_answered(self) -> bool:
        if not self._program.ends:
            return False
        for seen in self._watch.processes:
            if seen.pid in self.assigned()[0]:
                told = self._desk.of(seen.inner_pid, seen.began)
                if told is None or told.reason in judging.NOT_YET:
                    return False
        return True

    def outcome(self) -> dict[str, Any]:
        """What is said of each process that ended, and of those that did not."""
        ends, surplus, _missing = self.assigned()
        seen_by = {seen.pid: seen for seen in self._watch.processes}
        return {
            "program": self._program.name,
            "ends": [
                {"end": self._program.ends.index(end), **self._said(seen_by[pid])} for pid, end in ends.items()
            ],
            "surplus": [self._said(seen_by[pid]) for pid in surplus],
            "said dead": [
                {"pid": told.pid, "reason": told.reason}
                for told in self._desk.told.values()
                if told.reason and self._lives(told)
            ],
        }  # fmt: skip

    def _lives(self, told: judging.Told) -> bool:
        return any(
            self._desk.of(seen.inner_pid, seen.began) is told for seen in self._watch.alive()
        )  # fmt: skip

    def _said(self, seen: truth.Seen) -> dict[str, Any]:
        told = self._desk.of(seen.inner_pid, seen.began)
        fact = {"pid": seen.inner_pid, "truly": seen.status, "line": seen.line[-60:]}
        if told is None:
            return {**fact, "reason": None}
        job = told.evidence.get("job") or {}
        return {
            **fact, "program": told.program, "reason": told.reason, "earlier": told.earlier, "job": job.get("name", ""),
            "seconds": round(told.since - (seen.ended_at or 0.0), 1), "evidence": told.evidence,
        }  # fmt: skip


def judged(program: Program, folder: Path, where: tuple[int, Path] | None, *, rehearse: bool = False) -> dict[str, Any]:
    """Run it, and what came of it."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(servers_for(program))
        transport = redis if program.transport == "redis" else f"local://{folder}/transport"
        judging.make_database(folder, transport, program.interval_s)
        group = stack.enter_context(cgroup.group(where))
        if group is not None and program.limit_mb is not None:
            group.limit(program.limit_mb)
        if group is not None and program.whole_group:
            group.kill_together()
        site = Site(folder, transport, program, group=group, broker=redis)
        stack.callback(site.close)
        desk, jobs = Desk(site.hub), Jobs(site, redis)
        watch = stack.enter_context(truth.Watch().looking())
        if program.beside:
            site.start_beside()
        run = Run(site, desk, Stage(site, jobs, watch, group), jobs, watch)
        run.whole(rehearse=rehearse)
        return {**run.outcome(), "leaks": judging.leaks(), "rejected": judging.rejected()}


def main() -> int:
    """Run one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deaths.run", description=__doc__)
    parser.add_argument("program", choices=PROGRAMS)
    parser.add_argument("--rehearse", action="store_true", help="do not wait for what memwatch says")
    chosen = parser.parse_args()
    # What was started is stopped by the context managers, also where this is killed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A shell that starts this in the background has it ignored, and so would the servers.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-", ignore_cleanup_errors=True) as folder:
        try:
            found = judged(PROGRAMS[chosen.program], Path(folder), cgroup.place(), rehearse=chosen.rehearse)
        except (RuntimeError, AssertionError) as error:
            print(f"      {chosen.program}: {error}", file=sys.stderr)
            return 1
    print(json.dumps(found, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
