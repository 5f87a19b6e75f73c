"""What a program does to its server, step by step."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable

from benchmarks.deaths.cgroup import Group
from benchmarks.deaths.program import (
    EXPORT,
    Again,
    Control,
    Neighbour,
    Replace,
    Restart,
    Signal,
    Start,
    Step,
    Wait,
)  # fmt: skip
from benchmarks.deaths.serving import Jobs, Site
from benchmarks.deaths.truth import Seen, Watch, is_helper
from tests.waiting import until

BEGIN_S, END_S = 120.0, 180.0
"""The longest that a job may take to begin, and a process to end."""


class Stage:
    """A running site, and what was done to it so far."""

    def __init__(self, site: Site, jobs: Jobs, watch: Watch, group: Group | None) -> None:
        self._program, self._site, self._jobs, self._watch, self._group = site.program, site, jobs, watch, group
        self._task = ""
        self._leaders: list[int] = []

    # Who is who:

    def mains(self) -> list[Seen]:
        """The server's first process, of each of its starts."""
        if self._program.apart:
            return [seen for seen in self._watch.processes if seen.parent in self._leaders]
        return [seen for seen in self._watch.processes if seen.pid in self._leaders]

    def children(self) -> list[Seen]:
        """Its workers that live, in the order of their start."""
        main = self.mains()[-1].pid
        return [seen for seen in self._watch.alive() if seen.parent == main and not is_helper(seen)]

    def names(self, seen: Seen) -> frozenset[str]:
        """What the process may be called; empty for one that is not the program's concern."""
        mains = [each.pid for each in self.mains()]
        if is_helper(seen):
            return frozenset()
        if seen.pid in mains:
            found = {"main"} if self._program.has_watched_main else set()
        else:
            found = {"child"} if seen.parent in mains else set()
        if found and seen.inner_pid in self._doers():
            found.add("doer")
        if seen.inner_pid in self._noted("forked"):
            found = {"forked"}
        return frozenset(found)

    def _noted(self, name: str) -> list[int]:
        """Pids that jobs have written down, as they see them."""
        file = self._site.folder / name
        return [int(line.split()[0]) for line in file.read_text().splitlines()] if file.exists() else []

    def _doers(self) -> list[int]:
        return self._noted("doing")

    # What is done:

    def serve(self) -> None:
        """Start the server, and look at its processes."""
        self._site.serve()
        self._leaders.append(self._site.pid)
        self._watch.add(self._site.pid)

    def do(self, step: Step) -> None:
        """One step."""
        match step:
            case Start():
                self.start(step)
            case Again():
                self.again(step)
            case Signal():
                self.signal(step)
            case Wait():
                time.sleep(step.seconds)
            case Neighbour():
                self.neighbour(step)
            case Replace():
                self.replace(step)
            case Control():
                self.control(step)
            case Restart():
                self.restart()

    def start(self, step: Start) -> None:
        """And wait until all have begun."""
        before = len(self._doers())
        for _ in range(step.times):
            self._task = self._jobs.start(step.name, step.deed, step.amount)
        until(lambda: len(self._doers()) >= before + step.times, within_s=BEGIN_S, seen=self.seen)

    def again(self, step: Again) -> None:
        """Until one ends."""
        ended = len(self._watch.ended())
        for _ in range(step.most):
            begun = len(self._doers())
            self._jobs.do(EXPORT, step.deed, step.amount)
            self._wait_for_job(begun, ended)
            if len(self._watch.ended()) > ended:
                return
        raise AssertionError(f"no process has ended after {step.most} jobs; {self.seen()}")

    def _wait_for_job(self, begun: int, ended: int) -> None:
        until(lambda: len(self._doers()) > begun or len(self._watch.ended()) > ended, within_s=BEGIN_S, seen=self.seen)

    def signal(self, step: Signal) -> None:
        """To those it is meant for."""
        for seen in self._meant(step):
            with contextlib.suppress(ProcessLookupError):
                os.kill(seen.pid, step.number)

    def _meant(self, step: Signal) -> list[Seen]:
        if step.to == "forked":
            until(lambda: self._noted("forked"), within_s=BEGIN_S, seen=self.seen)
        alive = self._watch.alive()
        chosen: dict[str, Callable[[], list[Seen]]] = {
            "main": lambda: self.mains()[-1:],
            "child": lambda: self.children()[: step.count],
            "children": self.children,
            "newest": lambda: self.children()[-1:],
            "doer": lambda: [seen for seen in alive if seen.inner_pid == self._doers()[-1]],
            "forked": lambda: [seen for seen in alive if seen.inner_pid == self._noted("forked")[-1]],
            "all": lambda: alive,
        }
        return chosen[step.to]()

    def neighbour(self, step: Neighbour) -> None:
        """It ends by itself, by the kernel, or when the kernel has killed another."""
        assert self._group is not None
        kills = self._group.kills
        started = self._site.start_neighbour(step.mb, step.seconds)
        if not step.wait_for_its_end:
            return
        group = self._group
        until(lambda: started.poll() is not None or group.kills > kills, within_s=END_S, every_s=0.01, seen=self.seen)
        assert group.kills > kills, "the kernel killed nothing"
        started.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(5)

    def replace(self, step: Replace) -> None:
        """The successor of the child that has just ended."""
        known = {seen.pid for seen in self._watch.processes}
        begun = until(
            lambda: [seen for seen in self.children() if seen.pid not in known or seen.began > time.time() - 3],
            within_s=END_S, seen=self.seen,
        )[-1]  # fmt: skip
        time.sleep(max(0.0, begun.began + step.after_s - time.time()))

    def control(self, step: Control) -> None:
        """As an operator of Celery does."""
        assert self._jobs.celery is not None
        control = self._jobs.celery.control
        if step.name == "pool_shrink":
            control.pool_shrink(1, reply=True, timeout=10)
        else:
            kill = step.name.endswith("SIGKILL")
            control.revoke(self._task, terminate=True, signal="SIGKILL" if kill else "SIGTERM")

    def restart(self) -> None:
        """At once."""
        assert self._site.process is not None
        self._site.process.wait(END_S)
        self._jobs.forget()
        self.serve()

    def seen(self) -> object:
        return [(seen.pid, seen.line[-40:], seen.status) for seen in self._watch.processes], self._site.log[-2000:]
