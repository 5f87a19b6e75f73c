"""Resident memory once a second while a process or its container comes near its limit: what happens in the last minute.

Nothing but a figure of 3 microseconds is read. Below the limit it looks every few seconds, and far below not at all.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from memwatch.records import MemorySnapshot
from memwatch.sampling.procmem import ProcessMemory

LAST_LOOK, NEAR, CLOSE = 0.92, 0.85, 0.7
"""Shares of the limit: from the first on it is time to see what fills the heap, from the second on each second counts,
from the third on it may soon."""
LOOK_AGAIN_S, ASK_AGAIN_S = 3600.0, 60.0
"""After a look, and after there was no room for one."""
LOOK_NEEDS_MB = 2.0
"""Room that one census takes at most."""
EVERY_S, LOOK_EVERY_S = 1.0, 5.0
KEPT = 120


def _rss_mb() -> float | None:
    return ProcessMemory().resident().rss_mb


class NearLimit:
    """Used by the agent's thread alone. Times are monotonic seconds."""

    def __init__(
        self,
        read: Callable[[], float | None] = _rss_mb,
        *,
        keep: Callable[[float], None] = lambda _mb: None,
        has_room: Callable[[float], bool] = lambda _mb: True,
    ) -> None:
        self._read = read
        self._keep = keep
        """Told each figure that is kept."""
        self._has_room = has_room
        self._last: MemorySnapshot | None = None
        self._share = 0.0
        """Of the limit, of the process or of the container, whichever is fuller."""
        self._looked_at = -math.inf
        self._limit_mb: float | None = None
        """What resident memory may rise to."""
        self._seconds: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self.next_at = math.inf
        """When :meth:`step` wants to be called."""

    def snapshot(self, taken: MemorySnapshot, now: float) -> None:
        """A snapshot says how far it is to the limits of the process and of its container."""
        self._limit_mb = _limit_mb(taken)
        self._last, self._share = taken, _share(taken, taken.rss_mb)
        self._plan(taken.rss_mb, now)

    def step(self, now: float) -> None:
        """Read the figure, and keep it where the limit is near."""
        rss_mb = self._read()
        if rss_mb is not None and self._limit_mb is not None and rss_mb >= NEAR * self._limit_mb:
            self._seconds.append((now, rss_mb))
            self._keep(rss_mb)
        self._share = _share(self._last, rss_mb)
        self._plan(rss_mb, now)

    def wants_look(self, now: float) -> bool:
        """Whether it is time to see what fills the heap: near the limit, once an hour, with room for a census."""
        if self._share < LAST_LOOK or now - self._looked_at < LOOK_AGAIN_S:
            return False
        has_room = self._has_room(LOOK_NEEDS_MB)
        self._looked_at = now if has_room else now - LOOK_AGAIN_S + ASK_AGAIN_S
        return has_room

    def take(self, now: float) -> tuple[tuple[float, float], ...] | None:
        """``(seconds ago, MB)`` of what was kept since the last call, oldest first; ``None`` of nothing."""
        kept = tuple([(round(max(0.0, now - at), 1), round(mb, 1)) for at, mb in self._seconds])
        self._seconds.clear()
        return kept or None

    def _plan(self, rss_mb: float | None, now: float) -> None:
        share = 0.0 if rss_mb is None or not self._limit_mb else rss_mb / self._limit_mb
        self.next_at = now + (EVERY_S if share >= NEAR else LOOK_EVERY_S) if share >= CLOSE else math.inf


def _limit_mb(taken: MemorySnapshot) -> float | None:
    """The process's limit, or what is left to it in its container, whichever is less."""
    limits = [taken.heap_size_mb] if taken.heap_size_mb else []
    used, limit, rss = taken.cgroup_used_mb, taken.cgroup_limit_mb, taken.rss_mb
    if used is not None and limit is not None and rss is not None:
        limits.append(max(1.0, rss + limit - used) if used < NEAR * limit else rss)
    return min(limits, default=None)


def _share(taken: MemorySnapshot | None, rss_mb: float | None) -> float:
    """How full the process or its container is, with what the process has grown by since the snapshot."""
    if taken is None or taken.rss_mb is None or rss_mb is None:
        return 0.0
    used, limit = taken.cgroup_used_mb, taken.cgroup_limit_mb
    of_container = (used + rss_mb - taken.rss_mb) / limit if used is not None and limit else 0.0
    return max(of_container, rss_mb / taken.heap_size_mb if taken.heap_size_mb else 0.0)
