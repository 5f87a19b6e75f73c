"""Keeps a handful of programs running and stops them in order; nothing it started outlives it."""

from __future__ import annotations

import ctypes
import dataclasses
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

logger = logging.getLogger("project.supervisor")

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
STOP_SECONDS = 20.0
"""How long the programs of each rank may take to stop before they are killed.

Each has its own: on a busy machine web took 3 of 7 seconds that all shared, and the worker, last, wants 6.
"""
STEADY_SECONDS = 30.0
"""A program that ran this long has started well: its next restart comes at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """One program to keep running."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    stop_rank: int = 1
    """Programs of a lower rank are stopped first."""


class _Child:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.failures = 0
        self.due = 0.0

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Runs programs until SIGINT or SIGTERM. Call :meth:`run` from the main thread: the death signal is bound to it."""

    def __init__(self, programs: Sequence[Program], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._children = [_Child(program) for program in programs]
        self._clock = clock
        self._before_exec = _death_signal()

    def run(self) -> None:
        """Start everything, restart what ends, return when everything was stopped."""
        # Handlers first: where SIGINT arrives ignored (`sh -c '… &'`) a blocked signal would be discarded.
        previous = {number: signal.signal(number, _nothing) for number in _SIGNALS}
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            while True:
                self._start_what_is_due()
                received = signal.sigtimedwait(_SIGNALS, 0.5)
                if received is not None and received.si_signo != signal.SIGCHLD:
                    return
                self._notice_ends()
        finally:
            self._stop()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _start_what_is_due(self) -> None:
        now = self._clock()
        for child in self._children:
            if child.process is None and now >= child.due:
                child.started = now
                child.process = subprocess.Popen(  # noqa: S603 - the programs are ours
                    list(child.program.arguments),
                    env=dict(child.program.environment),
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    preexec_fn=self._before_exec,  # noqa: PLW1509 - the supervisor has no threads
                )

    def _notice_ends(self) -> None:
        now = self._clock()
        for child in self._children:
            if child.process is None or child.process.poll() is None:
                continue
            code = child.process.returncode
            _kill_session(child.process.pid)
            child.process = None
            child.failures = 0 if now - child.started >= STEADY_SECONDS else child.failures + 1
            delay = 0.0 if child.failures == 0 else min(30.0, 0.5 * 2**child.failures)
            child.due = now + delay
            logger.warning("%s ended (%s); starting it again in %.0f s", child.program.name, _spoken(code), delay)

    def _stop(self) -> None:
        patient = True
        for rank in sorted({child.program.stop_rank for child in self._children}):
            these = [child for child in self._children if child.program.stop_rank == rank and child.running]
            deadline = self._clock() + STOP_SECONDS
            for child in these:
                assert child.process is not None  # noqa: S101 - running
                child.process.terminate()
            for child in these:
                assert child.process is not None  # noqa: S101 - running
                patient = patient and self._awaited(child, deadline)
                if child.running:
                    why = "did not stop in time" if patient else "is not waited for"
                    logger.warning("%s %s and is killed", child.program.name, why)
                _kill_session(child.process.pid)
                child.process.wait()

    def _awaited(self, child: _Child, deadline: float) -> bool:
        """Until it has ended or its time is over; False where Ctrl-C was pressed again."""
        while child.running and (left := deadline - self._clock()) > 0:
            received = signal.sigtimedwait(_SIGNALS, min(0.5, left))  # SIGCHLD is among them
            if received is not None and received.si_signo == signal.SIGINT:
                return False
        return True


def _nothing(_number: int, _frame: object) -> None:
    """A handler for signals that :func:`signal.sigtimedwait` takes."""


def _kill_session(leader: int) -> None:
    """End what is left of the session that ``leader`` led."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _spoken(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _death_signal() -> Callable[[], None]:
    """What a child does before its program starts: take signals again, and get SIGTERM when the supervisor dies."""
    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        prctl = None
    supervisor = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != supervisor:
                os._exit(1)  # it died before the signal was arranged

    return prepare
