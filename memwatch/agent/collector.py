"""Keeps the garbage collector, and with it the host's finalizers, out of the agent's thread.

The collector runs in whichever thread's allocation passes its threshold, and calls ``__del__`` methods, weakref
callbacks and generators' ``finally:`` blocks there. So it is switched off while the agent works, for the milliseconds
of a snapshot, and on while the agent waits, which is nearly always; the host's own next allocation then catches up.
A host that has switched it off itself finds it as it was.
"""

from __future__ import annotations

import contextlib
import gc
from contextlib import AbstractContextManager


class CollectorBreak:
    """A time without collections. Both ends are harmless when repeated."""

    def __init__(self) -> None:
        self._taken = False

    @property
    def taken(self) -> bool:
        """Whether collections are off by our doing."""
        return self._taken

    def begin(self) -> None:
        """No collection from now on, if there were any before."""
        if gc.isenabled():
            self._taken = True  # first, so that a child forked between the two puts it right
            gc.disable()

    def end(self) -> None:
        """Collections as before :meth:`begin`."""
        if self._taken:
            gc.enable()
            self._taken = False

    def suspended(self) -> AbstractContextManager[None]:
        """The program's collector on, as the program has it, for work that takes seconds but makes no objects."""
        return _Suspended(self)


class _Suspended(contextlib.AbstractContextManager[None]):
    def __init__(self, collector: CollectorBreak) -> None:
        self._collector = collector
        self._was_taken = False

    def __enter__(self) -> None:
        self._was_taken = self._collector.taken
        self._collector.end()

    def __exit__(self, *_exception: object) -> None:
        if self._was_taken:
            self._collector.begin()
