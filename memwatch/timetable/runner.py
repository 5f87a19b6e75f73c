"""Runs the timetable in this process: a few threads that take the steps as they fall due."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from memwatch.agent import work_counters
from memwatch.agent.work import meter
from memwatch.queries.deployment.site import TIMETABLE, TIMETABLE_ONCE, last_runs
from memwatch.records.work import TASK
from memwatch.schedule import beat_schedule
from memwatch.services import locking
from memwatch.timetable.plan import Plan, due_once
from memwatch.timetable.steps import STEPS, leave

log = logging.getLogger("memwatch")

PREFIX = "memwatch."
THREADS = 2
"""As many steps run at once, so that pruning or judging does not hold up the reports."""
ANNOUNCE_EVERY_S = 20.0
ANNOUNCED_S = 90.0
"""So long after the last announcement others take this process for running."""
ONCE_ANNOUNCED_S = 150.0
"""A timer may start :func:`run_once` every minute or two."""
LEAVE_S = 8.0
"""The longest wait for the steps that run when the process is asked to stop: any may be killed at any moment."""
_ANNOUNCE = "announce"


def every_s() -> dict[str, float]:
    """Seconds between two runs, by step."""
    return {name.removeprefix(PREFIX): float(entry["schedule"]) for name, entry in beat_schedule().items()}


def ages_s() -> dict[str, float]:
    """How many seconds ago each step last ended, wherever it ran."""
    now = timezone.now()
    return {name: max(0.0, (now - at).total_seconds()) for name, at in last_runs().items()}


class Runner:
    """One per process. ``steps``: what to call, by name; ``every``: the seconds between two calls."""

    def __init__(
        self, steps: Mapping[str, Callable[[], None]], every: Mapping[str, float], *, tick_file: Path | None = None
    ) -> None:
        self._steps = {**steps, _ANNOUNCE: self._announce}
        self._every = {**every, _ANNOUNCE: ANNOUNCE_EVERY_S}
        self._tick_file = tick_file
        self._holder = holder()
        self._due: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)

    def run(self, stop: socket.socket, ages: Mapping[str, float]) -> list[str]:
        """Work until ``stop`` can be read; the steps that did not end in time after that."""
        plan = Plan(self._every, ages, time.monotonic())
        for number in range(THREADS):
            threading.Thread(target=self._work, name=f"memwatch-step-{number}", daemon=True).start()
        while True:
            for step in plan.begin(time.monotonic()):
                self._due.put(step)
            if stop in self._wait(plan, plan.wait_s(time.monotonic()), stop):
                return self._leave(plan)

    def _wait(self, plan: Plan, seconds: float | None, *others: socket.socket) -> list[socket.socket]:
        """Until a step has ended or is due, or one of ``others`` can be read: those that can."""
        ready, _, _ = select.select([self._woken, *others], [], [], seconds)
        if self._woken in ready:
            self._woken.recv(4096)
            while not self._ended.empty():
                plan.end(self._ended.get(), time.monotonic())
        return ready

    def _leave(self, plan: Plan) -> list[str]:
        leave()
        self._drop_waiting(plan)
        deadline = time.monotonic() + LEAVE_S
        while plan.running and (left := deadline - time.monotonic()) > 0:
            self._wait(plan, left)
        if not plan.running:
            with contextlib.suppress(DatabaseError):
                locking.drop(TIMETABLE, self._holder)
        return plan.running

    def _drop_waiting(self, plan: Plan) -> None:
        """Steps that no thread has taken yet do not begin any more."""
        with contextlib.suppress(queue.Empty):
            while True:
                plan.end(self._due.get_nowait(), time.monotonic())

    def _work(self) -> None:
        while True:
            step = self._due.get()
            try:
                run_step(step, self._steps[step])
            finally:
                self._tick()
                self._ended.put(step)
                with contextlib.suppress(BlockingIOError):  # it is awake
                    self._wake.send(b".")

    def _announce(self) -> None:
        try:
            locking.claim(TIMETABLE, self._holder, ANNOUNCED_S)
        except DatabaseError as error:  # the steps say so too, at each turn
            log.warning("memwatch: others cannot see that the timetable runs here: %s", error)

    def _tick(self) -> None:
        if self._tick_file is not None:
            try:
                self._tick_file.touch()
            except OSError as error:
                log.warning("memwatch: %s cannot be touched: %s", self._tick_file, error.strerror)


def run_step(name: str, step: Callable[[], None]) -> bool:
    """Run one step as a job of this process; whether it went well. No exception is raised: the step has logged it."""
    job = meter.begin(TASK, f"{PREFIX}{name}") if name != _ANNOUNCE else None
    close_old_connections()
    try:
        step()
    except Exception as error:
        log.debug("memwatch: %s", name, exc_info=error)
        well = False
    else:
        well = True
    finally:
        close_old_connections()
        if name != _ANNOUNCE:
            work_counters.count_task()
    if job is not None:
        job.error = not well
        job.end()
    return well


def run_once() -> list[str]:
    """Run the steps that are due, one after the other; those that failed. Raises :class:`DatabaseError`."""
    locking.claim(TIMETABLE_ONCE, holder(), ONCE_ANNOUNCED_S)
    return [name for name in due_once(every_s(), ages_s()) if not run_step(name, STEPS[name])]


def holder() -> str:
    """How others see this process."""
    return f"{socket.gethostname()}:{os.getpid()}"[-100:]
