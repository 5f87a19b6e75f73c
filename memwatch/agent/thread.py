"""A daemon thread of the operating system, also under gevent, that can be sent away and called back around a fork."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from memwatch.agent.collector_break import new_break
from memwatch.transport import gevent_compat

THREAD_NAME = "memwatch"
"""As ``top -H`` shows it; also how a child tells that its parent has an agent."""

_GUARD_S = 0.05
_FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT})


class NativeThread:
    """Runs ``work`` until it is asked to leave; ``work`` looks at :attr:`leaving` and waits by :meth:`sleep`.

    Work that ends by itself sets :attr:`stopping`, else it is called again.

    A paused thread has really ended, so that ``os.fork()`` sees none; :meth:`resume` begins another one.
    """

    def __init__(self, work: Callable[[], None], *, wake: Callable[[], None]) -> None:
        self._work = work
        self._wake = wake
        self._guard = gevent_compat.new_lock()
        """Held for moments: whether the thread ends is decided together with whether it is wanted back."""
        self._alarm = gevent_compat.new_lock()
        self._alarm.acquire()
        self._ended = gevent_compat.new_lock()
        self._running = False
        self._pauses = 0
        self._tid = 0
        self._ident = 0
        self.stopping = False
        self.collector = new_break()
        """Begun while the thread works, ended while it waits."""

    @property
    def leaving(self) -> bool:
        """Whether the thread should return from its work."""
        return self.stopping or self._pauses > 0

    def start(self) -> None:
        """Begin. Raises :class:`RuntimeError` when the system gives no thread."""
        with self._guard:
            self._begin()

    def _begin(self) -> None:
        ended = gevent_compat.new_lock()
        ended.acquire()
        self._ended = ended
        self._running = True
        try:
            gevent_compat.original("_thread", "start_new_thread")(self._run, (ended,))
        except BaseException:
            self._running = False
            raise

    def _run(self, ended: threading.Lock) -> None:
        try:
            self.collector.begin()
            self._ident = gevent_compat.original("_thread", "get_ident")()
            self._tid = gevent_compat.original("_thread", "get_native_id")()
            _settle_in(self._tid)
            gevent_compat.waits_of[self._ident] = self.collector
            leaving = False
            while not leaving:
                self._work()
                with self._guard:
                    leaving = self.leaving  # else it was called back
                    self._running = not leaving
        finally:
            gevent_compat.waits_of.pop(self._ident, None)
            self.collector.end()
            self._running = False
            ended.release()

    def sleep(self, seconds: float) -> None:
        """Wait, in the thread itself, until the time is over or somebody wants something of it."""
        seconds = min(max(0.0, seconds), 86_400.0)
        self.collector.call(self._alarm.acquire, (True, seconds))

    def rouse(self) -> None:
        """End a :meth:`sleep` or another wait of the thread."""
        with contextlib.suppress(RuntimeError):
            self._alarm.release()
        self._wake()

    def pause(self, timeout_s: float) -> bool:
        """Send the thread away and wait until it is gone, ``timeout_s`` at most; one in the midst of things goes on.

        Returns whether :meth:`resume` is to be called.
        """
        deadline = time.monotonic() + timeout_s
        if self._is_here() or not self._guard.acquire(timeout=_GUARD_S):
            return False
        try:
            self._pauses += 1
            running, ended = self._running, self._ended
        finally:
            self._guard.release()
        if running:
            self.rouse()
            if ended.acquire(timeout=timeout_s):
                ended.release()
                _wait_until_gone(self._tid, deadline)
        return True

    def resume(self) -> None:
        """Call the thread back after as many calls as there were pauses."""
        with self._guard:
            self._pauses -= 1
            if self._pauses == 0 and not self._running and not self.stopping:
                self._begin()

    def stop(self, timeout_s: float) -> bool:
        """Tell the thread to end for good; whether it did within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        self.stopping = True
        if not self._running:
            return True
        if self._is_here():
            return False
        self.rouse()
        ended = self._ended
        if ended.acquire(timeout=timeout_s):
            ended.release()
            _wait_until_gone(self._tid, deadline)
            return True
        return False

    def _is_here(self) -> bool:
        return bool(self._ident == gevent_compat.original("_thread", "get_ident")() and self._running)


def _settle_in(tid: int) -> None:
    """Leave signals to the host's threads, and take a name."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _FAULTS)
    with contextlib.suppress(OSError):
        Path(f"/proc/self/task/{tid}/comm").write_text(THREAD_NAME)


def _wait_until_gone(tid: int, deadline: float) -> None:
    """The system's thread ends a moment after Python's; ``os.fork()`` counts the system's."""
    path = f"/proc/self/task/{tid}"
    while time.monotonic() < deadline:
        try:
            os.stat(path)  # noqa: PTH116 - called often, around a fork
        except OSError:
            return
        gevent_compat.sleep(0.0001)
