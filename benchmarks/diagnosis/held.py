"""A meter that also knows for how long the interpreter was held, in CPU time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from memwatch.diagnosis.cost_meter import Meter


class HeldMeter(Meter):
    """Its longest hold is that of all recordings it was used for."""

    longest_ms = 0.0

    @contextlib.contextmanager
    def pausing(self) -> Iterator[None]:
        """Around each call during which no other thread can run."""
        began = time.thread_time()
        with super().pausing():
            yield
        self.longest_ms = max(self.longest_ms, (time.thread_time() - began) * 1e3)

    def forked(self, milliseconds: float, *, cpu_ms: float) -> None:
        """A fork holds the interpreter for its whole time."""
        super().forked(milliseconds, cpu_ms=cpu_ms)
        self.longest_ms = max(self.longest_ms, cpu_ms)
