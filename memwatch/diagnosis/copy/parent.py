"""Work on a copy of the process: forked with everything that it holds, used at leisure, then killed.

The program pauses for the fork alone. In the copy no other thread exists, so nothing can come between two lines of
Python; but whatever another thread held at the fork is held for ever. That is why the child has rules, for ``work``:

- it never lets go of the interpreter: no file, no lock, no wait, no import. To take it again could mean to wait for a
  thread that does not exist. What it needs of the system it calls through :class:`ctypes.PyDLL`;
- it never drops the last reference to an object of the host: no finalizer of the host runs.

It is made by the system call ``clone`` without a signal at its end, not by ``fork()``: so it raises no SIGCHLD in the
host, and a ``waitpid(-1)`` of the host's (gunicorn's arbiter, Celery's main) does not see it. A double fork would end
with one SIGCHLD and one unknown child after all, and its child would outlive the host. The price: glibc does not put
its locks in order, so that a child may wait for ever for one that another thread held. Such a child is seen to sleep,
which it never does else; it is killed, and the next one tried.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Generator, Iterator

from memwatch.diagnosis.allocations.tracers import memray_tracks
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import fork_pause, memory_headroom
from memwatch.diagnosis.copy.child import ALIVE, DONE, HEAD, OWNED, REFUSED, System, Work, live, private_mb
from memwatch.diagnosis.cost_meter import Meter
from memwatch.sampling.atomic import native_lock, possible
from memwatch.sampling.procmem import ProcessMemory, read_bytes

OWN_MB, OF_HEAP, MOST_OF_HEAP = 64.0, 0.5, 1.25
"""What a copy comes to own: its work, and of the heap's pages those that either side writes to. That is about half of
them, and all where the program's collector goes through its heap in that time."""
LONGEST_S = 60.0
"""Seconds of wall time, and as many of CPU."""
MOST_BYTES = 32 * 1024 * 1024
"""That a child may send."""
ATTEMPTS = 4
ASLEEP_S = 0.4
"""A child that sleeps for so long waits for somebody who does not exist."""
_POLLS_S = (0.002, 0.1)
_SIZED_EACH_S = 2.0
_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220}
_WAIT_FOR_CLONES = 0x40000000
_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS)
"""What the kernel or the C library ends a program with that has done what it must not."""


class NotForked(Exception):  # noqa: N818 - an answer more than an error
    """No child can be had here, or it came to nothing; the text says why."""


class Harmed(NotForked):
    """What was done in the child crashed or did not end, as it then might in the process itself."""

    def refused(self) -> Refused:
        """Instead of a search within the process."""
        return Refused(
            f"{self}; the process itself is left alone, since the same could happen to it: "
            "record again later, or record allocations"
        )


_never = native_lock()
_never.acquire()
_system: System | None = None


def impossible() -> str | None:
    """Why no child can be had here and now, as a part of a sentence; ``None`` where one can."""
    global _system  # noqa: PLW0603 - loaded once, before the first fork
    if sys.platform != "linux" or sys.maxsize < 2**32 or os.uname().machine not in _CLONE:
        return "only Linux on 64 bits is known to fork safely"
    if not possible():
        return "this interpreter has no global lock"
    if memray_tracks():
        return "memray follows this process, and would follow its copy into the same file"
    if _system is None:
        try:
            _system = System()
        except (OSError, AttributeError, TypeError):
            return "the C library cannot be called"
    return fork_pause.too_long()


def in_child(work: Work, host: Host, meter: Meter, *, needs_mb: float | None = None) -> Generator[float, None, bytes]:
    """What ``work`` returns in a child. Yields seconds to wait; however it ends, the child is gone afterwards.

    ``needs_mb``: what the child may come to own. Raises :class:`Refused` where there is no room for that, or ``work``
    has; :class:`NotForked` where the child came to nothing, :class:`Harmed` where the process must not try it itself.
    """
    rss_mb = ProcessMemory().resident().rss_mb or 0.0
    most_mb = OWN_MB + MOST_OF_HEAP * rss_mb if needs_mb is None else needs_mb
    if needs_mb is None:
        needs_mb = OWN_MB + OF_HEAP * rss_mb
    reason = impossible()
    if reason:
        raise NotForked(reason)
    refusal = memory_headroom.refusal(needs_mb, heap_limit_mb=host.heap_limit_mb)
    if refusal:
        raise Refused(refusal)
    deadline = time.monotonic() + LONGEST_S
    for _ in range(ATTEMPTS):
        child = _Child(work, meter)
        try:
            answer = yield from child.wait(deadline, most_mb, host)
        finally:
            child.end()
        if answer is not None:
            return answer
    raise Harmed(f"{ATTEMPTS} copies of the process waited for a lock that another thread had held")


class _Child:
    """One copy of the process, from its fork to its end."""

    def __init__(self, work: Work, meter: Meter) -> None:
        self._owner = os.getpid()
        self._meter = meter
        self._pid = self._pidfd = -1
        self._got = bytearray()
        self._pipe, theirs = os.pipe()
        try:
            os.set_blocking(self._pipe, False)
            self._pid = _fork(work, theirs, meter)
            meter.copy_mb = 0.0
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(self._pid)
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)

    def wait(self, deadline: float, most_mb: float, host: Host) -> Generator[float, None, bytes | None]:
        """The answer; ``None`` where the child sleeps. Yields seconds to wait."""
        poll_s, longest_s = _POLLS_S
        asleep_since: float | None = None
        sized_at = time.monotonic()
        while True:
            ended = self._how_ended()  # first: what it sent before its end is then read below
            if self._read():
                return self._answer()
            now = time.monotonic()
            if ended in _FAULTS:
                raise Harmed(f"the copy of the process crashed ({signal.Signals(ended).name}) as its objects were read")
            if ended is not None:
                raise NotForked(
                    "the copy of the process ended before it had an answer: it was killed, by the kernel say"
                )
            asleep_since = (asleep_since or now) if self._state() == "S" and not self._got else None
            if asleep_since is not None and now - asleep_since > ASLEEP_S:
                return None
            if now > deadline:
                raise Harmed(
                    f"the copy of the process was ended after {LONGEST_S:.0f} s: the heap is large or the machine busy"
                )
            if now - sized_at > _SIZED_EACH_S:
                sized_at = now
                owned = self._owned_mb()
                if owned > most_mb:
                    raise NotForked(f"the copy of the process took {owned:.0f} MB, {most_mb:.0f} were allowed")
                if refusal := memory_headroom.refusal(0, heap_limit_mb=host.heap_limit_mb):
                    raise Refused(f"the copy of the process was ended after it had taken {owned:.0f} MB: {refusal}")
            yield poll_s
            poll_s = min(longest_s, poll_s * 1.5)

    def _read(self) -> bool:
        """Whether all has arrived."""
        for _ in range(64):
            try:
                part = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                break
            if not part:
                break
            self._got += part
            if len(self._got) > MOST_BYTES:
                raise NotForked("the copy of the process sent too much")
        while self._got[:1] == ALIVE:
            del self._got[: HEAD.size]
        return len(self._got) >= HEAD.size and len(self._got) - HEAD.size >= HEAD.unpack_from(self._got)[1]

    def _answer(self) -> bytes:
        kind, length = HEAD.unpack_from(self._got)
        content = bytes(self._got[HEAD.size : HEAD.size + length])
        if kind == DONE:
            (owned_mb,) = OWNED.unpack_from(content)
            self._meter.child(owned_mb=owned_mb)
            return content[OWNED.size :]
        text = content.decode("utf-8", "replace")
        raise Refused(text) if kind == REFUSED else NotForked(f"the copy of the process failed: {text}")

    def _how_ended(self) -> int | None:
        """The signal that ended it, 0 where it was none, ``None`` while it lives. It is not reaped."""
        try:
            ended = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT | _WAIT_FOR_CLONES)
        except ChildProcessError:  # the host has reaped it
            return 0
        if ended is None:
            return None
        return 0 if ended.si_code == os.CLD_EXITED else ended.si_status

    def _state(self) -> str:
        """As the kernel calls it; empty where there is none."""
        content = read_bytes(f"/proc/{self._pid}/stat") or b""
        return content.rpartition(b") ")[2][:1].decode("ascii", "replace")

    def _owned_mb(self) -> float:
        """What only the child has, noted."""
        owned = private_mb(read_bytes(f"/proc/{self._pid}/smaps_rollup") or b"")
        self._meter.child(owned_mb=owned)
        self._meter.copy_mb = owned
        return owned

    def end(self) -> None:
        """Kill and reap it: a process that was forked from ours in between leaves it alone."""
        self._meter.copy_mb = None
        os.close(self._pipe)
        if os.getpid() == self._owner and self._pid > 0:
            with contextlib.suppress(OSError):
                if self._pidfd >= 0:
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                else:
                    os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                usage = os.wait4(self._pid, _WAIT_FOR_CLONES)[2]
                self._meter.child(cpu_s=usage.ru_utime + usage.ru_stime)
        if self._pidfd >= 0:
            os.close(self._pidfd)


def _fork(work: Work, pipe: int, meter: Meter) -> int:
    """The child's id. In the child it does not return."""
    if _system is None:
        raise NotForked("the C library was not asked for")
    parent = os.getpid()
    pages, pause_ms = fork_pause.pages_copied(), 0.0
    collects, number = gc.isenabled(), _CLONE[os.uname().machine]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        gc.disable()
        with _undisturbed(fork_pause.expected_ms(pages)):
            began, cpu = time.perf_counter(), time.thread_time()
            pid = int(_system.syscall(number, 0, 0, 0, 0, 0))
            if pid == 0:
                live(work, pipe, parent, _system, int(LONGEST_S) + 1)
            error = ctypes.get_errno()
            pause_ms = (time.thread_time() - cpu) * 1e3
            meter.forked((time.perf_counter() - began) * 1e3, cpu_ms=pause_ms)
    finally:
        if collects:
            gc.enable()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if pid < 0:
        raise NotForked(f"the system refuses to fork ({os.strerror(error)})")
    fork_pause.measured(pause_ms, pages)
    return pid


@contextlib.contextmanager
def _undisturbed(expected_ms: float) -> Iterator[None]:
    """No thread that waits for the interpreter asks for it within the time that a fork takes.

    A request that is pending at the fork would make the child wait for the thread that asked. Those that wait ask
    after the switch interval: it is made longer, and each starts to wait again when we take the interpreter.
    """
    before = sys.getswitchinterval()
    longer = max(before, min(0.2, 0.02 + 2e-3 * expected_ms))
    sys.setswitchinterval(longer)
    try:
        _never.acquire(timeout=min(0.02, before))
        yield
    finally:
        if abs(sys.getswitchinterval() - longer) < 2e-6:  # not the host's by now
            sys.setswitchinterval(before)
