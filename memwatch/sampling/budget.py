"""How often the process can afford a census."""

from __future__ import annotations

BURST_CPU_S = 1.0
"""CPU saved up at most: a young process is watched closely for its first minutes."""
MAX_WAIT_S = 600.0
"""A census comes at least this often, however costly."""
PAUSE_EVERY_S = 10.0
"""How often a pause of the budget's length may come; one of twice the length comes half as often."""


class Budget:
    """Allows a share of one CPU for looking at the heap, on average, with bursts.

    Looking costs CPU time, which is taken from a credit that grows by ``cpu_share`` of the time that passes, up to
    one second. With 0.5 % a census of 8 ms can come every 2 s for ever, one of 30 ms every 2 s for two minutes and
    every 6 s from then on, one of 300 ms every minute. However deep the debt, it is paid after ten minutes.

    A look that held the interpreter for longer than ``pause_ms`` at a time puts off the next one too.
    """

    def __init__(self, *, cpu_share: float, pause_ms: float) -> None:
        self._share = cpu_share
        self._pause_ms = pause_ms
        self._credit = BURST_CPU_S
        self._at: float | None = None
        self._put_off_s = 0.0

    def earn(self, now: float) -> None:
        """Add the credit of the time since the last call. ``now``: seconds of a clock that never goes back."""
        if self._at is not None:
            passed = max(0.0, now - self._at)
            self._credit = min(BURST_CPU_S, self._credit + passed * self._share)
            self._put_off_s = max(0.0, self._put_off_s - passed)
        self._at = now

    def allows(self, *, reserve: float = 0.0) -> bool:
        """Whether a look may be taken now, leaving ``reserve`` CPU seconds for something more important."""
        return self._credit > reserve and not self._put_off_s

    def charge(self, *, cpu_ms: float, pause_ms: float) -> None:
        """Account for a look, also for one that was taken without asking.

        ``pause_ms``: how long it held the interpreter at a time.
        """
        self._credit = max(self._credit - cpu_ms / 1e3, -MAX_WAIT_S * self._share)
        if pause_ms > self._pause_ms:
            self._put_off_s = min(MAX_WAIT_S, max(self._put_off_s, PAUSE_EVERY_S * pause_ms / self._pause_ms))
