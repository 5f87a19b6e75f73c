"""Does it grow, at its lowest points, steadily, and in more than a few jumps?"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from memwatch.detection.case import Case, Decision
from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.statistics.estimators import drawdown, theil_sen

FLOOR_OF_CONTRACT = 0.5
"""The share of the contract's thresholds that must be left of the growth at its lowest points."""
FLOOR_SIGMAS, MAX_FALL_BACK = 6.0, 0.2
"""Where the contract's gate did not open: a gain that noise does not reach, and that is not given back again."""

BEGUN_AFTER, BEGUN_SHARE = 0.6, 0.8
"""All but a fifth of the gain came in the last two fifths, above all that was before: too late to tell a leak by."""

WARM_UP_SHARE, LEFT_OF_GATE = 0.25, 0.4
"""Of the time seen, and what of the gate's growth must be left without it: a line keeps two thirds in percent."""

TREND_P, TREND_TAU = 0.05, 0.45
"""Mann-Kendall over eight floors reaches tau .45 by chance once in fifteen times, with p as second guard."""

JUMPS, JUMPS_SHARE = 3, 0.75
"""A table that doubles its room jumps once an octave: so many jumps are no rate yet. A steady leak of twelve points
has a quarter of its growth in the three largest steps, bursts of some 25 have a third."""


def warm_up(case: Case) -> Decision | None:
    """2c. Would the gate have opened without the first quarter? What only grew at first was filling up."""
    if len(case.values) < WATCH_POINTS:
        return None
    cut = case.times[0] + WARM_UP_SHARE * case.span_s
    start = next(i for i, time in enumerate(case.times) if time >= cut)
    later = case.values[start:]
    if len(later) < WATCH_POINTS // 2:
        return None
    growth = theil_sen(case.times[start:], later).slope * case.span_s
    case.found["growth_after_warm_up"] = growth
    if growth > LEFT_OF_GATE * _least(case, median(later[: len(later) // 4])):
        return None
    return _just_begun(case, "warm_up") or Decision(
        "expected", "warm_up", "a warm-up: it grew at first, and little since"
    )


def _least(case: Case, initial: float) -> float:
    """What the gate asks for, from this level on."""
    if case.gate != "contract":
        return case.least
    limits = case.thresholds
    return max(limits.min_growth_count, limits.min_growth_percent * initial / 100)


def floor(case: Case) -> Decision | None:
    """3. What is left at the lowest points? A saw-tooth's floor is flat."""
    low = case.floors[1]
    if len(low) < 4:
        return Decision("not enough data", "floor", "the points lie too close together in time")
    edge = max(1, len(low) // 6)
    gain = median(low[-edge:]) - median(low[:edge])
    case.found |= {"floor_growth": gain, "sigma": case.sigma, "floors": len(low)}
    if case.gate == "contract":
        base = max(0.0, low[0])
        limits, share = case.thresholds, FLOOR_OF_CONTRACT
        if gain < share * limits.min_growth_count or gain * 100 < share * limits.min_growth_percent * base:
            return _just_begun(case, "floor") or Decision(
                "expected", "floor", "a saw-tooth or noise: its floor has not risen"
            )
        return None
    fall = drawdown([max(value, low[0]) for value in low])  # what fell before it rose was none of the gain
    case.found["fall_back"] = fall
    if gain < FLOOR_SIGMAS * case.sigma or fall > MAX_FALL_BACK * gain:
        return Decision("expected", "floor", "ups and downs: its floor has not risen clearly")
    return None


def trend(case: Case) -> Decision | None:
    """4. Do the floors rise, by Mann-Kendall and by Theil-Sen's lower bound?"""
    found = case.trend
    case.found |= {"p": found.p, "tau": found.tau, "slope": case.slope.slope, "slope_low": case.slope.low}
    if found.p < TREND_P and found.tau >= TREND_TAU and case.slope.low > 0:
        return None
    return _just_begun(case, "trend") or Decision("expected", "trend", "a saw-tooth or noise: no steady rise")


def _just_begun(case: Case, rule: str) -> Decision | None:
    """A rise of late alone, which still goes on: a batch under way, or a leak that has begun."""
    cut = case.times[0] + BEGUN_AFTER * case.span_s
    early = [value for time, value in zip(case.times, case.values, strict=True) if time < cut]
    late = case.values[len(early) :]
    gained = case.values[-1] - median(early)
    if gained < BEGUN_SHARE * case.growth or case.values[-1] - max(early) < BEGUN_SHARE * gained:
        return None
    if drawdown(late) > MAX_FALL_BACK * gained:
        return None
    case.found["begun_late"] = True
    return Decision("not enough data", rule, "it has only just begun to rise: more points will tell")


def jumps(case: Case) -> Decision | None:
    """4b. Memory alone: is it a trend, or a few large blocks? A dict or a list that grows takes its room in jumps."""
    if case.series.unit not in ("blocks", "KiB") or case.sawtooth:
        return None
    steps = sorted((b - a for a, b in pairwise(case.values)), reverse=True)
    share = sum(steps[:JUMPS]) / case.growth
    case.found["jumps_share"] = share
    if share < JUMPS_SHARE:
        return None
    return Decision("not enough data", "jumps", f"{share * 100:.0f} % of it came in {JUMPS} jumps, which is no rate")
