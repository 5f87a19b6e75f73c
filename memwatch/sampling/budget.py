"""How often the process can afford a census."""

from __future__ import annotations

BURST_CPU_S = 1.0
"""CPU saved up at most: a young process is watched closely for its first minutes."""
MAX_WAIT_S = 600.0
"""A census comes at least this often, however costly."""


class Budget:
    """Allows a share of one CPU for looking at the heap, on average, with bursts.

    Looking costs CPU time, which is taken from a credit that grows by ``cpu_share`` of the time that passes, up to
    one second. With 0.5 % a census of 8 ms can come every 2 s for ever, one of 30 ms every 2 s for two minutes and
    every 6 s from then on, one of 300 ms every minute. However deep the debt, it is paid after ten minutes.
    """

    def __init__(self, *, cpu_share: float) -> None:
        self._share = cpu_share
        self._credit = BURST_CPU_S
        self._at: float | None = None

    def earn(self, now: float) -> None:
        """Add the credit of the time since the last call. ``now``: seconds of a clock that never goes back."""
        if self._at is not None:
            self._credit = min(BURST_CPU_S, self._credit + max(0.0, now - self._at) * self._share)
        self._at = now

    def allows(self, *, reserve: float = 0.0) -> bool:
        """Whether a look may be taken now, leaving ``reserve`` CPU seconds for something more important."""
        return self._credit > reserve

    def charge(self, *, cpu_ms: float) -> None:
        """Account for a look, also for one that was taken without asking."""
        self._credit = max(self._credit - cpu_ms / 1e3, -MAX_WAIT_S * self._share)
