"""How many calls are made, between which counts. Values only."""

from __future__ import annotations

import dataclasses
import math

CALLS, WARMUP, BUDGET_S = 120, 8, 30.0
"""What a test gets that asks for nothing: calls that are judged, calls before them, seconds in all."""
SCREENED = 4
"""Rounds of the first look, each twice as long as the one before."""
POINTS, LEAST_POINTS = 24, 8
"""Counts of a series that is judged. With fewer than the least nothing can be said."""
SURE_EACH, SURE_S = 320, 3.0
"""A series that shows a leak is followed by a longer one: at most so many calls between two counts, and so many seconds
of calls. A cache that only fills up has ended its growth by then."""
LEAST_ESCALATION = 2
"""A series that is not this many times as long would show nothing new."""
LOOK_SHARE, SERIES_SHARE = 0.35, 0.7
"""Of the budget for the first look, and of what is left then for each series; the rest is for finding the cause."""
LEAST_WARMUP = 2
"""Calls whatever is asked for: one alone does not tell what a call takes."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is asked for."""

    calls: int | None = None
    """Calls that are judged, exactly; ``None`` for :data:`CALLS` and more while the answer is not sure."""
    warmup: int = WARMUP
    budget_s: float = BUDGET_S
    """After this time no further call begins."""

    def __post_init__(self) -> None:
        """Raises :class:`ValueError` for numbers that are none."""
        if self.calls is not None and (not _is_whole(self.calls) or self.calls < LEAST_POINTS):
            raise ValueError(f"calls is {self.calls!r}: give a whole number of at least {LEAST_POINTS}")
        if not _is_whole(self.warmup) or self.warmup < 0:
            raise ValueError(f"warmup is {self.warmup!r}: give a whole number, 0 or more")
        if not isinstance(self.budget_s, int | float) or not 0 < self.budget_s < math.inf:
            raise ValueError(f"the budget is {self.budget_s!r}: give seconds, e.g. {BUDGET_S:g}")

    def affordable(self, call_s: float, seconds: float) -> int:
        """Calls of those that are asked for which fit into so much time, at this cost of a call."""
        wanted = CALLS if self.calls is None else self.calls
        return max(0, min(wanted, int(seconds / max(call_s, 1e-9))))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def screening(calls: int) -> list[int]:
    """Rounds that double, with about so many calls together."""
    first = max(1, round(calls / (2**SCREENED - 1)))
    return [first * 2**number for number in range(SCREENED)]


def points(calls: int) -> int:
    """Counts in a series of so many calls."""
    return min(POINTS, calls)


def longer_each(each: int, number: int, call_s: float, left_s: float) -> int | None:
    """Calls between two counts in the longer series; ``None`` where there is no time for one.

    ``number``: points of the series; ``call_s``: what a call costs.
    """
    seconds = min(SURE_S, left_s * SERIES_SHARE)
    longer = min(SURE_EACH, int(seconds / number / max(call_s, 1e-9)))
    return longer if longer >= LEAST_ESCALATION * each else None
