"""Work that no other thread and no garbage collection can come between.

A step of a program here is a C callable without arguments. ``uninterrupted`` runs its steps inside one C call, during
which the interpreter cannot switch threads; the collector is off then. What the steps refer to therefore cannot
lose its last other reference, and no code of the host runs: no ``__del__``, no weakref callback, no ``finally:``.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, compress, repeat
from operator import call
from typing import Any

Step = Callable[[], object]
FREE_THREADED = "t" in getattr(sys, "abiflags", "")
"""Whether this is a build that can do without the global lock. Its collector keeps no lists, and so no ages."""


def possible() -> bool:
    """Whether one C call is uninterrupted here: CPython with its global lock, or with a single thread, in a copy."""
    if _alone:
        return True
    if sys.implementation.name != "cpython":
        return False
    with_lock: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)
    return with_lock is None or with_lock()


def late(read: Callable[[Any], Iterable[Any]], container: Any) -> Iterator[Any]:
    """``read(container)``, begun when it is pulled: within the C call that uses it.

    An iterator over a dict or a set that was begun before is invalid if another thread adds to it in between.
    """
    return chain.from_iterable(map(read, (container,)))


def uninterrupted(steps: list[Step]) -> None:
    """Run ``steps`` in order. They must be C callables throughout: one Python function would let threads switch.

    The list is emptied: each step is released as soon as it has run, within the same C call, and with it the
    iterators it was made of, which may still hold what they were reading. So nothing else should refer to them.
    """
    restore: list[Step] = []
    done: list[object] = []
    program: list[Step | None] = [
        partial(restore.extend, compress((gc.enable,), map(call, (gc.isenabled,)))),
        gc.disable,
        *steps,
        partial(done.extend, map(call, restore)),
        None,
    ]
    steps.clear()
    program.reverse()
    try:
        deque(map(call, iter(program.pop, None)), maxlen=0)
    except BaseException:
        program.clear()
        for step in restore:
            step()
        raise


def native_lock() -> threading.Lock:
    """A lock between native threads, also where gevent has replaced them: the agent's thread is a native one."""
    monkey = sys.modules.get("gevent.monkey")
    made: threading.Lock = monkey.get_original("threading", "Lock")() if monkey is not None else threading.Lock()
    return made


_never = native_lock()
_never.acquire()


_alone = False


def be_alone() -> None:
    """From now on: a copy of the process has no other threads to let run."""
    global _alone  # noqa: PLW0603 - a copy ends with it
    _alone = True


def breathe() -> None:
    """Let the other threads go on, for a moment: before an uninterrupted call that takes milliseconds.

    A thread that waits for the interpreter asks for it only after the switch interval (5 ms), and so would wait for
    that and for the whole call. It is a native wait: gevent's would run other greenlets here.
    """
    if not _alone:
        _never.acquire(timeout=0.0002)


class Headroom:
    """Room for our own allocations, so that the collection they would trigger happens in a thread of the host.

    The collector runs in whichever thread makes the count of new objects pass its threshold, and runs finalizers
    there. ``ask`` is called before objects are made: where the count is near its threshold it frees a reserve, which
    lowers the count by as many, and failing that waits a moment for the host to pass it. What remains is a small
    chance that a collection falls to us: any thread that allocates has it.
    """

    SIZES = (100, 100, 200)
    WAIT_S = 0.001
    WAITS = 5

    def __init__(self) -> None:
        self._portions: list[list[Any]] = [[] for _ in self.SIZES]
        self._never = native_lock()
        self._never.acquire()

    def __len__(self) -> int:
        """Objects held in reserve."""
        return sum(map(len, self._portions))

    def ask(self, objects: int) -> None:
        """Make room for so many new objects, as far as that is possible within a few milliseconds."""
        threshold = gc.get_threshold()[0]
        waits = self.WAITS
        while threshold and gc.get_count()[0] + objects > threshold:
            portion = next(filter(None, self._portions), None)
            if portion is not None:
                portion.clear()
            elif waits:
                waits -= 1
                self._never.acquire(timeout=self.WAIT_S)
            else:
                return

    def restore(self) -> None:
        """Fill what has been given, as far as the collector's count allows."""
        if not possible():  # another thread could switch the collector off while it is off for us
            return
        # Tuple iterators: small, tracked, and without a free list, which the collector's count would not see.
        for portion, size in zip(self._portions, self.SIZES, strict=True):
            if not portion and gc.get_count()[0] + size < gc.get_threshold()[0] * 0.9:
                uninterrupted([partial(portion.extend, map(iter, repeat((), size)))])
