"""The distributions and packages of this process, looked at once, when it has had time to import what it needs."""

from __future__ import annotations

import time
from collections.abc import Callable

from memwatch.records.distributions import Inventory
from memwatch.sampling.distributions import inventory

LOOK_AFTER_S = 30.0
"""After the first snapshot."""


class DistributionsWatch:
    """Used by the agent's thread alone."""

    def __init__(
        self,
        *,
        look: Callable[[], Inventory] = inventory,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._clock = clock
        self._look_at: float | None = None
        self._done = False

    def look(self) -> Inventory | None:
        """That of the process, once; ``None`` before it is time and after that."""
        now = self._clock()
        if self._look_at is None:
            self._look_at = now + LOOK_AFTER_S
        if self._done or now < self._look_at:
            return None
        self._done = True  # first: a look that fails would fail again
        found = self._look()
        return found if any(found) else None
