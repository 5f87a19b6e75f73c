"""What a recording costs, measured while it runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from memwatch.sampling.atomic import breathe
from memwatch.sampling.procmem import ProcessMemory


class Meter:
    """Begun with the recording, read at its end."""

    def __init__(self, requests_handled: Callable[[], int | None] = lambda: None) -> None:
        self._memory = ProcessMemory()
        self._requests_handled = requests_handled
        self._began = time.monotonic()
        self._process_cpu = time.process_time()
        self._requests = requests_handled()
        self._cpu_s = 0.0
        self._rss_mb = self._peak_mb = self._rss()
        self._longest_pause_ms = self.longest_hold_ms = 0.0
        self._forks_ms: list[float] = []
        self.child_cpu_s = self._child_mb = 0.0
        self.copy_mb: float | None = None
        """What only a copy of the process owns while there is one, as far as it was looked at."""

    def _rss(self) -> float:
        return self._memory.resident().rss_mb or 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the recording began."""
        return time.monotonic() - self._began

    @property
    def rss_added_mb(self) -> float:
        """The most that the process grew during the recording, as far as it was measured."""
        self._peak_mb = max(self._peak_mb, self._rss())
        return max(0.0, self._peak_mb - self._rss_mb)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Around each stretch of work in the agent's thread."""
        before = time.thread_time()
        try:
            yield
        finally:
            self._cpu_s += time.thread_time() - before

    @contextlib.contextmanager
    def pausing(self) -> Iterator[None]:
        """Around each call during which no other thread can run. Those that wait already have their turn first."""
        breathe()
        before, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.held((time.thread_time() - cpu) * 1e3)
            self.paused((time.perf_counter() - before) * 1e3)

    def held(self, milliseconds: float) -> None:
        """Note for how long the interpreter was held, in CPU time: without what a busy machine adds."""
        self.longest_hold_ms = max(self.longest_hold_ms, milliseconds)

    def paused(self, milliseconds: float) -> None:
        """Note a pause that was measured elsewhere."""
        self._longest_pause_ms = max(self._longest_pause_ms, milliseconds)

    def forked(self, milliseconds: float, *, cpu_ms: float) -> None:
        """Note a fork, which is a pause and holds the interpreter."""
        self._forks_ms.append(milliseconds)
        self.paused(milliseconds)
        self.held(cpu_ms)

    def child(self, *, cpu_s: float = 0.0, owned_mb: float = 0.0) -> None:
        """Note what a copy of the process has taken: CPU adds up, of the memory the most is kept."""
        self.child_cpu_s += cpu_s
        self._child_mb = max(self._child_mb, owned_mb)

    def figures(self) -> dict[str, float]:
        """``duration_s``, ``cpu_ms`` (of the agent's thread), ``process_cpu_ms`` (of the whole process),
        ``longest_pause_ms``, ``rss_added_mb``; where copies of the process were made, ``forks``, ``fork_ms`` (the
        longest), ``child_cpu_ms`` and ``child_mb`` (what only a copy owned); where it serves any, ``requests``."""
        requests = self._requests_handled()
        found = {
            "duration_s": round(self.elapsed_s, 3),
            "cpu_ms": round(self._cpu_s * 1e3, 3),
            "process_cpu_ms": round((time.process_time() - self._process_cpu) * 1e3, 3),
            "longest_pause_ms": round(self._longest_pause_ms, 3),
            "rss_added_mb": round(self.rss_added_mb, 2),
        }
        if self._forks_ms:
            found["forks"] = float(len(self._forks_ms))
            found["fork_ms"] = round(max(self._forks_ms), 3)
            found["child_cpu_ms"] = round(self.child_cpu_s * 1e3, 3)
            found["child_mb"] = round(self._child_mb, 2)
        if requests is not None and self._requests is not None:
            found["requests"] = float(requests - self._requests)
        return found
