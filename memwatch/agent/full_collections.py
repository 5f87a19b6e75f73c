"""For how long the process has had no full collection."""

from __future__ import annotations

import gc


class FullCollections:
    """Knows it from one snapshot to the next: a collection in between counts as one of the later moment."""

    def __init__(self) -> None:
        self._total: int | None = None
        self._since = 0.0

    def look(self, now: float) -> None:
        """Note whether there was one since the last look. ``now``: monotonic seconds."""
        total = gc.get_stats()[2]["collections"]
        if total != self._total:
            self._total, self._since = total, now

    def since_s(self, now: float) -> float | None:
        """So long there was none, at least; ``None`` before the first look."""
        if self._total is None:
            return None
        self.look(now)
        return now - self._since
