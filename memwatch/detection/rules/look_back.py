"""Was it as high before, and did it come back?"""

from __future__ import annotations

from statistics import median

from memwatch.detection.case import Case, Decision
from memwatch.detection.statistics.estimators import drawdown

AS_HIGH_SHARE, GIVEN_BACK_SHARE = 0.9, 0.5
"""Of the hour's gain: how near it must have come to where it is now, and how much of that it must have given back."""
LAST_POINTS = 3
FOUND = ("highest_before", "reached", "given_back")
"""What the evidence keeps of it while the leak is open, though nobody looks back any more."""


def as_high_before(case: Case) -> Decision | None:
    """9b. What comes and goes with the hours rises in many an hour; a leak is at its highest ever.

    Caches that forget after a while, sessions and garbage follow the traffic of the day. Only the watch of the hour
    knows what was before (:attr:`History.earlier`).
    """
    earlier = case.history.earlier(case.series.name) if case.series.kind == "objects" else ()
    if not earlier:
        return None
    now = median(case.values[-LAST_POINTS:])
    case.found |= {"highest_before": max(earlier), "reached": now}
    as_high = now - (1 - AS_HIGH_SHARE) * case.growth
    first = next((i for i, count in enumerate(earlier) if count >= as_high), None)
    if first is None:
        return None
    given_back = drawdown([*earlier[first:], *case.values])
    case.found["given_back"] = given_back
    if given_back < GIVEN_BACK_SHARE * case.growth:
        return None
    return Decision("expected", "as_high_before", "it was as high before, and came back")
