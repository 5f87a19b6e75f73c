"""Counting what the process holds: a full collection, then objects by type, blocks, and memory beside them.

The functions are kept from when this module is loaded, at collection, where no test has patched them yet. They are kept
out of the module's own names, which is where tools that stop the clock look for them.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from _thread import _count as count_threads
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from memwatch.pytest_plugin.ledger import Count
from memwatch.pytest_plugin.sites.django_client import forget_finalizers
from memwatch.sampling.census import take_census
from memwatch.sampling.type_names import TypeNames

if TYPE_CHECKING:
    from memwatch.pytest_plugin.system_memory import SystemMemoryReader

MOST_COLLECTIONS = 3
"""Finalizers of garbage leave more garbage; after so many collections what is left counts as kept."""
MOST_WAIT_S, WAIT_EACH_S, _PAUSE_S = 2.0, 0.25, 0.005
"""For threads that a call has left to end by themselves: in a measurement, before a count, and between two looks."""
_NO_REST = 2
"""The census does not rest between its parts: the test waits for it, and no one else."""


def _cache_clearer() -> Callable[[], object]:
    """What empties the interpreter's own caches, by the name that this version has for it."""
    names = ("_clear_internal_caches", "_clear_type_cache")
    return next((getattr(sys, name) for name in names if hasattr(sys, name)), lambda: None)


class _Functions:
    """As they were before any test."""

    collect = staticmethod(gc.collect)
    freeze, unfreeze, frozen = staticmethod(gc.freeze), staticmethod(gc.unfreeze), staticmethod(gc.get_freeze_count)
    is_on, thresholds = staticmethod(gc.isenabled), staticmethod(gc.get_threshold)
    clock, sleep = staticmethod(time.perf_counter), staticmethod(time.sleep)
    threads = staticmethod(count_threads)
    open, read, close = staticmethod(os.open), staticmethod(os.read), staticmethod(os.close)
    cpu_clock = staticmethod(time.thread_time if hasattr(time, "thread_time") else time.perf_counter)
    clear_caches = staticmethod(_cache_clearer())
    blocks = staticmethod(sys.getallocatedblocks) if hasattr(sys, "getallocatedblocks") else staticmethod(lambda: 0)


def now() -> float:
    """Seconds, of a clock that tests do not stop."""
    return _Functions.clock()


def cpu_now() -> float:
    """Seconds of CPU that this thread has used, where the platform counts them."""
    return _Functions.cpu_clock()


def contents(path: str, most: int) -> bytes:
    """Of a file of the kernel's, whatever a test has patched. Raises :class:`OSError`."""
    descriptor = _Functions.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        return _Functions.read(descriptor, most)
    finally:
        _Functions.close(descriptor)


def blocks() -> int:
    """Small blocks of memory in use."""
    return _Functions.blocks()


def collect(most: int = MOST_COLLECTIONS) -> None:
    """Take what is garbage, also what the finalizers of garbage leave."""
    for _ in range(most):
        if not _Functions.collect():
            return


def collector_is_on() -> bool:
    """Whether garbage in cycles is taken some day."""
    return _Functions.is_on() and _Functions.thresholds()[0] > 0


_WAS_ON = collector_is_on()
"""Before any test. Where it was off, that is how this run of pytest was set up, and no doing of a test."""


def settle() -> None:
    """As :func:`collect`, unless a test or its fixtures switched the collector off: then what is garbage stays."""
    if collector_is_on() or not _WAS_ON:
        collect()


def collect_young() -> None:
    """Take garbage among the objects of the last moments, which takes next to no time."""
    _Functions.collect(1)


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Within it collections look at new objects alone, and so take next to no time.

    Old objects that become garbage in cycles are not freed until its end, so what was counted within it may be too
    much: a count after it tells. Where the program has frozen objects itself, nothing is set aside.
    """
    collect()
    if _Functions.frozen():
        yield
        return
    _Functions.freeze()
    try:
        yield
    finally:
        _Functions.unfreeze()


class Counter:
    """Counts; one for a measurement."""

    def __init__(self) -> None:
        self._names = TypeNames()
        self._memory = _memory_reader()
        self._threads, self._wait_s = _Functions.threads(), MOST_WAIT_S
        self._census()  # what the first one makes for itself, names above all, is there from then on

    def count(self) -> Count:
        """After a full collection, and without the interpreter's cache of names, which thousands of look-ups fill.

        Threads that end by themselves have time for it: how many are left depends on how busy the machine is.
        """
        self._wait_for_threads()
        forget_finalizers()
        _Functions.clear_caches()
        settle()
        in_use, memory = blocks(), self._memory.read()
        return Count(self._census(), in_use, memory.malloc, memory.mapped, memory.touched)

    def _wait_for_threads(self) -> None:
        began = now()
        most = min(WAIT_EACH_S, self._wait_s)
        while _Functions.threads() > self._threads and now() - began < most:
            _Functions.sleep(_PAUSE_S)
        self._wait_s -= min(self._wait_s, now() - began)

    def types(self) -> dict[str, int]:
        """Objects by type as they are, garbage included."""
        return self._census()

    def _census(self) -> dict[str, int]:
        while True:
            census = take_census(self._names, hurry=_NO_REST)
            if census is not None:  # it ends without an answer where another thread's collection lasts
                return census.counts


def _memory_reader() -> SystemMemoryReader:
    from memwatch.pytest_plugin.system_memory import SystemMemoryReader  # noqa: PLC0415 - it may load ctypes

    return SystemMemoryReader()
