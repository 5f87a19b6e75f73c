"""What really ended, and when: the processes of the server as the kernel shows them, looked at all the time."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import select
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from benchmarks.deaths.program import End

_EVERY_S = 0.05
_GET_INFO = (3 << 30) | (64 << 16) | (0xFF << 8) | 11
_EXIT = 1 << 3
_HELPERS = ("resource_tracker", "semaphore_tracker", "forkserver")


@dataclasses.dataclass(kw_only=True, slots=True)
class Seen:
    """One process."""

    pid: int
    inner_pid: int
    """As the process itself sees it."""
    parent: int
    began: float
    """Seconds since 1970."""
    descriptor: int
    line: str
    ended_at: float | None = None
    status: str = ""
    """How it ended, where the kernel says so: for those who read the outcome."""


class Watch:
    """Looks at all processes of some sessions."""

    def __init__(self) -> None:
        self._seen: dict[int, Seen] = {}
        self._sessions: set[int] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def add(self, session: int) -> None:
        """One more session, by its leader."""
        self._sessions.add(session)

    @contextlib.contextmanager
    def looking(self) -> Iterator[Watch]:
        """While it lasts."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            self._thread.join(5)
            for seen in self._seen.values():
                os.close(seen.descriptor)

    @property
    def processes(self) -> list[Seen]:
        """All so far, in the order of their start."""
        return sorted(self._seen.values(), key=lambda seen: (seen.began, seen.pid))

    def alive(self) -> list[Seen]:
        """Those that run."""
        return [seen for seen in self.processes if seen.ended_at is None]

    def ended(self) -> list[Seen]:
        """In the order of their ends."""
        return sorted((s for s in self.processes if s.ended_at is not None), key=lambda seen: seen.ended_at or 0.0)

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):
                if pid not in self._seen and os.getsid(pid) in self._sessions:
                    self._meet(pid)
        for seen in self._seen.values():
            if seen.ended_at is not None and not seen.status:
                seen.status = _status(seen.descriptor)  # the kernel says so once its parent has taken note
        running = self.alive()
        if not running:
            return
        poll = select.poll()
        for seen in running:
            poll.register(seen.descriptor, select.POLLIN)
        over = {descriptor for descriptor, _event in poll.poll(0)}
        for seen in running:
            if seen.descriptor in over:
                seen.ended_at = time.time()
            elif not seen.line or seen.line.startswith(("sh ", "prlimit ", "unshare ")):
                with contextlib.suppress(psutil.Error):  # it becomes the program
                    seen.line = " ".join(psutil.Process(seen.pid).cmdline())

    def _meet(self, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        process = psutil.Process(pid)
        inner = next(
            line.split()[-1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line[:6] == "NSpid:"
        )
        self._seen[pid] = Seen(
            pid=pid, inner_pid=int(inner), parent=process.ppid(), began=process.create_time(), descriptor=descriptor,
            line=" ".join(process.cmdline()),
        )  # fmt: skip


def _status(descriptor: int) -> str:
    """From Linux 6.15 on."""
    answer = bytearray(64)
    struct.pack_into("Q", answer, 0, _EXIT)
    try:
        fcntl.ioctl(descriptor, _GET_INFO, answer)
    except OSError:
        return ""
    if not struct.unpack_from("Q", answer)[0] & _EXIT:
        return ""
    return str(os.waitstatus_to_exitcode(struct.unpack_from("i", answer, 60)[0]))


def is_helper(seen: Seen) -> bool:
    """What multiprocessing runs beside its workers, and what becomes the server."""
    return any(name in seen.line for name in _HELPERS) or seen.line.startswith(("sh ", "prlimit ", "unshare "))


def assigned(
    ends: Sequence[End], ended: Sequence[tuple[int, frozenset[str]]]
) -> tuple[dict[int, End], list[int], list[End]]:
    """Which end is whose: of processes in the order of their ends, each with what it may be called.

    Returns also the processes that were not to end, and what did not happen.
    """
    left = {number: end.at_most for number, end in enumerate(ends)}
    found: dict[int, End] = {}
    surplus = []
    for pid, names in ended:
        fitting = [number for number, end in enumerate(ends) if left[number] and (end.who in names or end.who == "any")]
        # The narrowest name first: the doer is also a child.
        fitting.sort(key=lambda number: ("doer", "forked", "main", "child", "any").index(ends[number].who))
        if fitting:
            left[fitting[0]] -= 1
            found[pid] = ends[fitting[0]]
        else:
            surplus.append(pid)
    missing = [end for number, end in enumerate(ends) if end.at_most - left[number] < end.at_least]
    return found, surplus, missing
