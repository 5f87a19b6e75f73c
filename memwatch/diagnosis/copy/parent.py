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
import fcntl
import os
import signal
import time
from collections.abc import Callable, Generator

from memwatch.diagnosis.allocations.tracers import memray_tracks
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import cloning, fork_pause, memory_headroom, seccomp, tracing
from memwatch.diagnosis.copy.child import (
    ALIVE,
    DONE,
    HEAD,
    OWNED,
    PART,
    REFUSED,
    Send,
    Share,
    Streaming,
    System,
    Work,
)
from memwatch.diagnosis.copy.process import CopyProcess
from memwatch.diagnosis.cost_meter import Meter
from memwatch.sampling.procmem import ProcessMemory

OWN_MB, OF_HEAP, MOST_OF_HEAP = 64.0, 0.5, 1.25
"""What a copy comes to own: its work, and of the heap's pages those that either side writes to. That is about half of
them, and all where the program's collector goes through its heap in that time."""
LONGEST_S = 60.0
"""Seconds of CPU that a copy may take."""
PATIENCE = 3.0
"""Seconds of wall time for each second of CPU: a copy is nice, so a busy machine gives it a part of a processor."""
MOST_BYTES = 32 * 1024 * 1024
"""That a child may send."""
ATTEMPTS = 4
ASLEEP_S = 0.4
"""A child that sleeps for so long waits for somebody who does not exist."""
_POLLS_S = (0.002, 0.1)
_PIPE_BYTES = 1 << 20
_SIZED_EACH_S = 2.0
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


_system: System | None = None


def impossible() -> str | None:
    """Why no child can be had here and now, as a part of a sentence; ``None`` where one can."""
    global _system  # noqa: PLW0603 - loaded once, before the first fork
    if reason := cloning.impossible():
        return reason
    if memray_tracks():
        return "memray follows this process, and would follow its copy into the same file"
    if _system is None:
        try:
            _system = System()
        except (OSError, AttributeError, TypeError):
            return "the C library cannot be called"
    return tracing.active() or seccomp.may_kill() or fork_pause.too_long()


def in_child(work: Work, host: Host, meter: Meter, *, needs_mb: float | None = None) -> Generator[float, None, bytes]:
    """What ``work`` returns in a child; see :func:`streamed`."""
    return streamed(lambda _send: work(), host, meter, lambda: _no_part, needs_mb=needs_mb)


def _no_part(_part: bytes) -> None:
    raise NotForked("the copy of the process sent what it was not asked for")


def streamed(
    work: Streaming,
    host: Host,
    meter: Meter,
    begin: Callable[[], Send],
    *,
    needs_mb: float | None = None,
    most_mb: float | None = None,
    longest_s: float | None = None,
) -> Generator[float, None, bytes]:
    """What ``work`` returns in a child. Yields seconds to wait; however it ends, the child is gone afterwards.

    ``begin`` is called for each attempt, and gives what takes the parts that ``work`` sends, in order.

    ``needs_mb``: what the child needs room for. ``most_mb``: what it may come to own, the same if not given.
    Raises :class:`Refused` where there is no room for that, or ``work``
    has; :class:`NotForked` where the child came to nothing, :class:`Harmed` where the process must not try it itself.
    """
    rss_mb = ProcessMemory().resident().rss_mb or 0.0
    if needs_mb is None:
        needs_mb, most_mb = OWN_MB + OF_HEAP * rss_mb, OWN_MB + MOST_OF_HEAP * rss_mb
    reason = impossible()
    if reason:
        raise NotForked(reason)
    refusal = memory_headroom.refusal(needs_mb, heap_limit_mb=host.heap_limit_mb)
    if refusal:
        raise Refused(refusal)
    longest_s = LONGEST_S if longest_s is None else longest_s
    deadline = time.monotonic() + longest_s * PATIENCE
    share = Share(longest_s, niceness=0) if host.waits else Share(longest_s)
    for _ in range(ATTEMPTS):
        child = _Child(work, meter, begin(), share)
        try:
            answer = yield from child.wait(deadline, needs_mb if most_mb is None else most_mb, host)
        finally:
            child.end()
        if answer is not None:
            return answer
    raise Harmed(f"{ATTEMPTS} copies of the process waited for a lock that another thread had held")


class _Child:
    """One copy of the process, from its fork to its end."""

    def __init__(self, work: Streaming, meter: Meter, take: Send, share: Share) -> None:
        self._take = take
        self._longest_s = share.cpu_s
        self._meter = meter
        self._got = bytearray()
        self._received = 0
        self._pipe, theirs = os.pipe()
        try:
            os.set_blocking(self._pipe, False)
            with contextlib.suppress(OSError):
                fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._process = CopyProcess(_cloned(work, theirs, meter, share))
            meter.copy_mb = 0.0
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
            ended = self._process.how_ended()  # first: what it sent before its end is then read below
            before = self._received
            if self._read():
                return self._answer()
            if self._received - before >= _PIPE_BYTES // 4:
                poll_s = _POLLS_S[0]
            now = time.monotonic()
            if ended in _FAULTS:
                raise Harmed(f"the copy of the process crashed ({signal.Signals(ended).name}) as its objects were read")
            if ended is not None:
                raise NotForked(
                    "the copy of the process ended before it had an answer: it was killed, by the kernel say"
                )
            asleep_since = (asleep_since or now) if self._is_stuck(before) else None
            if asleep_since is not None and now - asleep_since > ASLEEP_S:
                return None
            if now > deadline:
                raise Harmed(
                    f"the copy of the process was ended after {self._longest_s * PATIENCE:.0f} s, in which it got "
                    f"{self._process.cpu_s():.1f} s of CPU: the machine is busy"
                )
            if self._process.cpu_s() > self._longest_s:
                raise Harmed(
                    f"the copy of the process was ended after {self._longest_s:.0f} s of CPU: the heap is large"
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
            self._received += len(part)
            if len(self._got) > MOST_BYTES:
                raise NotForked("the copy of the process sent too much")
        while len(self._got) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._got)
            if kind not in (ALIVE, PART):
                return len(self._got) >= HEAD.size + int(length)
            if len(self._got) - HEAD.size < length:
                return False
            content = bytes(self._got[HEAD.size : HEAD.size + length])
            del self._got[: HEAD.size + length]
            if kind == PART:
                self._take(content)
        return False

    def _is_stuck(self, received: int) -> bool:
        """Whether it sleeps, though nothing came since ``received`` bytes had."""
        return self._received == received and not self._got and self._process.state() == "S"

    def _answer(self) -> bytes:
        kind, length = HEAD.unpack_from(self._got)
        content = bytes(self._got[HEAD.size : HEAD.size + length])
        if kind == DONE:
            (owned_mb,) = OWNED.unpack_from(content)
            self._meter.child(owned_mb=owned_mb)
            return content[OWNED.size :]
        text = content.decode("utf-8", "replace")
        raise Refused(text) if kind == REFUSED else NotForked(f"the copy of the process failed: {text}")

    def _owned_mb(self) -> float:
        """What only the child has, noted."""
        owned = self._process.owned_mb()
        self._meter.child(owned_mb=owned)
        self._meter.copy_mb = owned
        return owned

    def end(self) -> None:
        """Kill and reap it: a process that was forked from ours in between leaves it alone."""
        self._meter.copy_mb = None
        os.close(self._pipe)
        if (cpu_s := self._process.end()) is not None:
            self._meter.child(cpu_s=cpu_s)


def _cloned(work: Streaming, pipe: int, meter: Meter, share: Share) -> int:
    if _system is None:
        raise NotForked("the C library was not asked for")
    if reason := tracing.active():  # since it was asked
        raise NotForked(reason)
    try:
        return cloning.clone(_system, work, pipe, meter, share)
    except OSError as error:
        raise NotForked(f"the system refuses to fork ({error.strerror})") from None
