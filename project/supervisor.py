"""Keeps the programs of Procfiles running and stops them in order; nothing it started outlives it.

``python -S project/supervisor.py Procfile …``: the standard library alone, because it waits as long as they run.
Honcho reads the same files, but ends all programs when one crashes, and leaves them behind when it is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
STOP_RANKS = {"beat": 0, "load": 0, "worker": 2}
"""Programs of a lower rank are stopped first; the others have rank 1."""
RANK_SECONDS = 2.0
"""How long those of the next rank wait for them to end: what gives work to others stops before these do it."""
STOP_SECONDS = float(os.environ.get("STOP_SECONDS", "9"))
"""How long all programs together may take to stop before they are killed."""
STEADY_SECONDS = 30.0
"""A program that ran this long has started well: its next restart comes at once."""


class Program:
    """One line of a Procfile, and the process that runs it."""

    def __init__(self, name: str, command: str) -> None:
        self.name, self._command = name, command
        self.process: subprocess.Popen[bytes] | None = None
        self._started = self._due = 0.0
        self._failures = 0

    def keep_running(self) -> None:
        """Start it when it is due; when it has ended, say so and decide when that is."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            code = self.process.returncode
            self.kill()
            self._failures = 0 if now - self._started >= STEADY_SECONDS else self._failures + 1
            delay = min(30.0, 0.5 * 2**self._failures) if self._failures else 0.0
            self._due = now + delay
            _say(f"{self.name} ended (exit code {code}); starting it again in {delay:.0f} s")
        if self.process is None and now >= self._due:
            self._started = now
            self.process = subprocess.Popen(  # noqa: S602 - the commands are ours
                self._command,
                shell=True,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_prepare,  # noqa: PLW1509 - the supervisor has no threads
            )

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def terminate(self) -> None:
        """Ask it to stop."""
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        """End what is left of its session."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def read(procfile: Path) -> list[Program]:
    """The programs of a Procfile: lines of ``name: command``."""
    lines = [line.partition(":") for line in procfile.read_text().splitlines() if line and not line.startswith("#")]
    return [Program(name, command.strip()) for name, _colon, command in lines]


def run(programs: Sequence[Program]) -> None:
    """Start all, restart what ends, and stop all at SIGINT or SIGTERM. In the main thread: death signals need it."""
    # Handlers first: where SIGINT arrives ignored (`sh -c '… &'`) a blocked signal would be discarded.
    for number in _SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        while True:
            for program in programs:
                program.keep_running()
            received = signal.sigtimedwait(_SIGNALS, 0.5)
            if received is not None and received.si_signo != signal.SIGCHLD:
                return
    finally:
        _stop(programs)


def _stop(programs: Sequence[Program]) -> None:
    patient, deadline = True, time.monotonic() + STOP_SECONDS
    for rank in range(3):
        these = [program for program in programs if STOP_RANKS.get(program.name, 1) == rank]
        for program in these:
            program.terminate()
        patient = patient and _awaited(these, min(deadline, time.monotonic() + RANK_SECONDS))
    patient = patient and _awaited(programs, deadline)
    for program in programs:
        if program.running:
            _say(f"{program.name} {'did not stop in time' if patient else 'is not waited for'} and is killed")
        program.kill()


def _awaited(programs: Sequence[Program], deadline: float) -> bool:
    """Until they have ended or their time is over; False where Ctrl-C was pressed again."""
    while any(program.running for program in programs) and (left := deadline - time.monotonic()) > 0:
        received = signal.sigtimedwait(_SIGNALS, min(0.5, left))
        if received is not None and received.si_signo == signal.SIGINT:
            return False
    return True


_prctl = getattr(ctypes.CDLL(None), "prctl", None)
_supervisor = os.getpid()


def _prepare() -> None:
    """What a child does before its program starts: take signals again, and get SIGTERM when the supervisor dies."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != _supervisor:
            os._exit(1)  # it died before the signal was arranged


def _say(line: str) -> None:
    sys.stderr.write(f"memwatch: {line}\n")


if __name__ == "__main__":
    run([program for path in sys.argv[1:] for program in read(Path(path))])
    sys.stdout.write("memwatch has stopped.\n")
