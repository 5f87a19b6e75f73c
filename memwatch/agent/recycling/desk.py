"""Takes the order to end after the current job, notes it for the flight record, and takes it back in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from memwatch.agent.flight import ending
from memwatch.records.flight import RECYCLED_BY_MEMWATCH

if TYPE_CHECKING:
    from memwatch.agent.recycling.ways import Way

MAX_DRAIN_S = 86_400.0


class RecyclingDesk:
    """Used by the agent's thread alone."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        """Writes why the process is about to end into its flight record; empty: it is not."""
        self._way: Way | None = None
        self.next_at = math.inf
        """When :meth:`step` wants to be called (monotonic seconds)."""

    def order(self, arguments: Mapping[str, Any]) -> tuple[str, str]:
        """``(state, detail)`` of the answer: ``done`` once the process is to end, else ``refused`` and why.

        Takes ``drain_s``: seconds after which a process that still works stays, where the order can be taken back; and
        ``whole``: whether a whole worker may be ended, because something starts it again.
        """
        drain_s: Any = arguments.get("drain_s")
        if type(drain_s) not in (int, float) or not 0 < drain_s <= MAX_DRAIN_S:
            return "refused", f"recycle wants `drain_s`, seconds from 1 to {MAX_DRAIN_S:.0f}"
        if self._way is not None:
            return "refused", "this process has its order already"
        try:
            way = self._found(whole=arguments.get("whole") is True)
            self._begin(way)
        except Exception as error:  # noqa: BLE001 - CannotRecycle among them; the host goes on in any case
            return "refused", str(error) or type(error).__name__
        self._way = way
        if way.withdrawable:
            self.next_at = time.monotonic() + drain_s
        return "done", way.name

    def _found(self, *, whole: bool) -> Way:
        from memwatch.agent.recycling.ways import way_of  # noqa: PLC0415 - only where somebody recycles

        return way_of(ending.gunicorn_worker, whole=whole)

    def _begin(self, way: Way) -> None:
        """Note it first: a worker that does nothing ends at once."""
        ending.note(RECYCLED_BY_MEMWATCH)
        self._note(RECYCLED_BY_MEMWATCH)
        try:
            way.begin()
        except BaseException:
            self._forget()
            raise

    def step(self) -> None:
        """Take the order back: the time for it is over."""
        way, self._way, self.next_at = self._way, None, math.inf
        if way is not None:
            way.withdraw()
            self._forget()

    def _forget(self) -> None:
        ending.forget(RECYCLED_BY_MEMWATCH)
        self._note("")
