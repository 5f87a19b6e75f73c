"""Was the count as high earlier, and did it fall back?"""

from __future__ import annotations

from statistics import median

from memwatch.detection.case import Case, Decision, Rule
from memwatch.detection.sentence import number
from memwatch.detection.statistics.estimators import drawdown

AS_HIGH_SHARE, GIVEN_BACK_SHARE = 0.9, 0.5
"""Shares of the hour's gain: how near to today's count it must have come, and how much it must have fallen since."""
LAST_POINTS = 3
STATISTICS = ("highest_before", "reached", "given_back")
"""Statistics that the evidence of an open leak keeps, although later runs no longer look back."""


def _as_high_before(case: Case) -> Decision | None:
    """Settle what was as high earlier and fell back: caches that expire, sessions and garbage follow the traffic.

    Only the watch of the hour knows the counts before its window (:attr:`History.earlier`).
    """
    earlier = case.history.earlier(case.series.name) if case.series.kind == "objects" else ()
    if not earlier:
        return None
    now = median(case.values[-LAST_POINTS:])
    case.statistics |= {"highest_before": max(earlier), "reached": now}
    as_high = now - (1 - AS_HIGH_SHARE) * case.growth
    first = next((i for i, count in enumerate(earlier) if count >= as_high), None)
    if first is None:
        return None
    given_back = drawdown([*earlier[first:], *case.values])
    case.statistics["given_back"] = given_back
    if given_back < GIVEN_BACK_SHARE * case.growth:
        return None
    return Decision("expected", "it was as high before and came back")


def _explain(case: Case) -> str | None:
    highest = case.statistics.get("highest_before")
    if highest is None:
        return None
    text = f"before this hour its maximum was {number(highest)}, now it is {number(case.statistics['reached'])}"
    back = case.statistics.get("given_back")
    if back is None:
        return text
    most = GIVEN_BACK_SHARE * 100
    return f"{text}; it fell by {number(back)} since (a leak: by less than {most:.0f} % of its gain)"


AS_HIGH_BEFORE = Rule(
    name="as_high_before",
    question="Is it higher than ever before?",
    decide=_as_high_before,
    explain=_explain,
    not_applicable="no counts from earlier hours; only the watch looks back, before it opens a leak",
)
