"""What an uplink needs beside its connections: a pipe to wake it, a lock, and a way out of forked children."""

from __future__ import annotations

import contextlib
import os
import weakref
from abc import ABC, abstractmethod

from memwatch.transport import gevent_compat
from memwatch.transport.protocols import TransportUnavailable

_CLOSE_S = 1.0


class Wakeable(ABC):
    """Base of the uplinks: waking, closing and forks, which are the same for all of them.

    A forked child closes its copies of everything (else a dead parent would seem to be listening as long as a child
    lives) and never touches what belongs to the parent.
    """

    def __init__(self) -> None:
        self._closed = False
        self._pid = os.getpid()
        self._receiving = gevent_compat.new_lock()
        self._ends = gevent_compat.new_lock()
        """Held while the pipe is written or closed: its number must not be written after somebody else got it."""
        self._woken_end, self._wake_end = os.pipe()
        os.set_blocking(self._woken_end, False)
        os.set_blocking(self._wake_end, False)
        _uplinks.add(self)

    def wake(self) -> None:
        """End a ``receive`` of another thread, or the next one."""
        if self._ends.acquire(timeout=_CLOSE_S):  # not for ever: a signal handler may have interrupted the holder
            try:
                if not self._closed and self._pid == os.getpid():
                    self._write()
            finally:
                self._ends.release()

    def close(self) -> None:
        """Stop listening; a ``receive`` of another thread ends first."""
        if self._closed or self._pid != os.getpid():
            return
        with self._ends:
            self._write()
            self._closed = True
        if self._receiving.acquire(timeout=_CLOSE_S):
            try:
                self._hang_up(forked=False)
                os.close(self._wake_end)
                os.close(self._woken_end)
            finally:
                self._receiving.release()

    def leave_to_parent(self) -> None:
        """In a forked child: close the inherited copies."""
        self._receiving, self._ends = gevent_compat.new_lock(), gevent_compat.new_lock()
        if not self._closed:
            self._closed = True
            os.close(self._wake_end)
            os.close(self._woken_end)
            self._hang_up(forked=True)

    @abstractmethod
    def _hang_up(self, *, forked: bool) -> None:
        """Close what is open; in a forked child without a trace for the parent."""

    def _check_open(self) -> None:
        if self._closed:
            raise TransportUnavailable("this uplink was closed, or left behind in the parent by a fork: open a new one")

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._woken_end, 512)) == 512:
                pass

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_end, b"w")

    def __del__(self) -> None:
        if hasattr(self, "_wake_end"):
            self.close()


_uplinks: weakref.WeakSet[Wakeable] = weakref.WeakSet()


def _leave_to_parent() -> None:
    for uplink in list(_uplinks):
        with contextlib.suppress(OSError):
            uplink.leave_to_parent()


os.register_at_fork(after_in_child=_leave_to_parent)
