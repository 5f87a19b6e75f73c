"""Does it grow at its lowest points, steadily, and in more than a few jumps?"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from statistics import median

from memwatch.detection.case import HOUR_S, Case, Decision, Rule
from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.sentence import number
from memwatch.detection.statistics.estimators import drawdown, theil_sen

FLOOR_OF_CONTRACT = 0.5
"""The share of the contract's thresholds that the growth of the lowest points must reach."""
FLOOR_SIGMAS, MAX_FALL_BACK = 6.0, 0.2
"""Where the contract's gate did not open: least gain in standard deviations of noise, and largest fall as its share."""

BEGUN_AFTER, BEGUN_SHARE = 0.6, 0.8
"""At least four fifths of the gain came in the last two fifths, above all earlier values: too late to judge."""

WARM_UP_SHARE, LEFT_OF_GATE = 0.25, 0.4
"""The part of the span left out, and the share of the gate's growth that must remain: a line keeps two thirds."""

TREND_P, TREND_TAU = 0.05, 0.45
"""Over eight floors, Mann-Kendall reaches tau .45 by chance once in fifteen times; p is the second guard."""

LARGEST_STEPS, JUMPS_SHARE = 3, 0.75
"""A table that doubles its size jumps once an octave: this many jumps are not yet a rate. A steady leak of twelve
points has a quarter of its growth in the three largest steps; bursts of some 25 have a third."""


def _warm_up(case: Case) -> Decision | None:
    """Settle what grows little after the first quarter: it was only filling up."""
    if len(case.values) < WATCH_POINTS:
        return None
    cut = case.times[0] + WARM_UP_SHARE * case.span_s
    start = bisect_left(case.times, cut)
    later = case.values[start:]
    if len(later) < WATCH_POINTS // 2:
        return None
    growth = theil_sen(case.times[start:], later).slope * case.span_s
    case.statistics["growth_after_warm_up"] = growth
    if growth > LEFT_OF_GATE * _least(case, median(later[: len(later) // 4])):
        return None
    return _just_begun(case) or Decision("expected", "a warm-up: it grew at first and little since")


def _explain_warm_up(case: Case) -> str | None:
    gained = case.statistics.get("growth_after_warm_up")
    if gained is None:
        return None
    least = LEFT_OF_GATE * (case.thresholds.min_growth_count if case.gate == "contract" else case.least)
    return f"without its first quarter it grows by {number(gained)} (more than {number(least)})"


WARM_UP = Rule(
    name="warm_up",
    question="Does it still grow without its first quarter?",
    decide=_warm_up,
    explain=_explain_warm_up,
    not_applicable="too few points to leave out the first quarter",
)


def _least(case: Case, initial: float) -> float:
    """The growth that the gate requires from this level."""
    if case.gate != "contract":
        return case.least
    limits = case.thresholds
    return max(limits.min_growth_count, limits.min_growth_percent * initial / 100)


def _floor(case: Case) -> Decision | None:
    """Settle what does not grow at its lowest points: the floor of a saw-tooth is flat."""
    low = case.floors[1]
    if len(low) < 4:
        return Decision("not enough data", "the points are too close together in time")
    edge = max(1, len(low) // 6)
    gain = median(low[-edge:]) - median(low[:edge])
    case.statistics |= {"floor_growth": gain, "sigma": case.sigma, "floors": len(low)}
    if case.gate == "contract":
        base = max(0.0, low[0])
        limits, share = case.thresholds, FLOOR_OF_CONTRACT
        if gain < share * limits.min_growth_count or gain * 100 < share * limits.min_growth_percent * base:
            return _just_begun(case) or Decision("expected", "a saw-tooth or noise: its lowest points have not risen")
        return None
    fall = drawdown([max(value, low[0]) for value in low])  # a fall before the rise is not part of the gain
    case.statistics["fall_back"] = fall
    if gain < FLOOR_SIGMAS * case.sigma or fall > MAX_FALL_BACK * gain:
        return Decision("expected", "ups and downs: its lowest points have not risen clearly")
    return None


def _explain_floor(case: Case) -> str | None:
    gain = case.statistics.get("floor_growth")
    if gain is None:
        return None
    text = f"the lowest points of {case.statistics['floors']} intervals rise by {number(gain)}"
    if case.gate == "contract":
        limits, share = case.thresholds, FLOOR_OF_CONTRACT
        return (
            f"{text} (at least {number(share * limits.min_growth_count)} and {share * limits.min_growth_percent:g} %)"
        )
    fall = case.statistics.get("fall_back", 0.0)
    return (
        f"{text} (at least {number(FLOOR_SIGMAS * case.sigma)}, six times the noise) "
        f"and fall back by {number(fall)} (at most {number(MAX_FALL_BACK * gain)})"
    )


FLOOR = Rule(name="floor", question="Do its lowest points rise?", decide=_floor, explain=_explain_floor)


def _trend(case: Case) -> Decision | None:
    """Settle floors that do not rise by Mann-Kendall's test, or whose slope may be 0 by Theil-Sen's lower bound."""
    trend = case.trend
    case.statistics |= {"p": trend.p, "tau": trend.tau, "slope": case.slope.slope, "slope_low": case.slope.low}
    if trend.p < TREND_P and trend.tau >= TREND_TAU and case.slope.low > 0:
        return None
    return _just_begun(case) or Decision("expected", "a saw-tooth or noise: no steady rise")


def _explain_trend(case: Case) -> str | None:
    if "tau" not in case.statistics:
        return None
    p, tau, low = case.statistics["p"], case.statistics["tau"], case.statistics["slope_low"] * HOUR_S
    return (
        f"Mann-Kendall p = {p:.2g} (below {TREND_P}) and tau = {tau:.2f} (at least {TREND_TAU}); "
        f"Theil-Sen's lower bound is {number(low)} an hour (above 0)"
    )


TREND = Rule(name="trend", question="Do they rise steadily?", decide=_trend, explain=_explain_trend)


def _just_begun(case: Case) -> Decision | None:
    """Wait where only the last part rises, and still does: a batch in progress, or the start of a leak."""
    cut = case.times[0] + BEGUN_AFTER * case.span_s
    early = [value for time, value in zip(case.times, case.values, strict=True) if time < cut]
    late = case.values[len(early) :]
    gained = case.values[-1] - median(early)
    if gained < BEGUN_SHARE * case.growth or case.values[-1] - max(early) < BEGUN_SHARE * gained:
        return None
    if drawdown(late) > MAX_FALL_BACK * gained:
        return None
    case.statistics["begun_late"] = True
    return Decision("not enough data", "it has only just begun to rise: more points are needed")


def _jumps(case: Case) -> Decision | None:
    """Wait where memory without a type or container grew in a few jumps, as a dict or list does when it is resized."""
    if not case.is_unnamed_memory or case.sawtooth:
        return None
    share = share_of_jumps(case)
    case.statistics["jumps_share"] = share
    if share < JUMPS_SHARE:
        return None
    return Decision(
        "not enough data", f"{share * 100:.0f} % of the growth came in {LARGEST_STEPS} jumps, which is not a rate"
    )


def share_of_jumps(case: Case) -> float:
    """What the largest steps are of the growth, which is above 0."""
    steps = sorted((b - a for a, b in pairwise(case.values)), reverse=True)
    return sum(steps[:LARGEST_STEPS]) / case.growth


def _explain_jumps(case: Case) -> str | None:
    share = case.statistics.get("jumps_share")
    if share is None:
        return None
    return (
        f"the {LARGEST_STEPS} largest steps are {share * 100:.0f} % of the growth (less than {JUMPS_SHARE * 100:.0f} %)"
    )


JUMPS = Rule(
    name="jumps",
    question="Is it more than a few jumps?",
    decide=_jumps,
    explain=_explain_jumps,
    not_applicable="only memory without a type or container is checked for jumps, and no saw-tooth",
)
