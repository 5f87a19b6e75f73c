"""Does it keep its rate? The rate of a leak stays, that of a cache falls while it fills."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

from memwatch.detection.case import Case, Decision, Rule
from memwatch.detection.rules.persistence import may_rest, percent
from memwatch.detection.statistics.estimators import GAUSSIAN_MAD, mann_kendall, solve, theil_sen
from memwatch.detection.statistics.model_comparison import NOISE_FLOOR_SHARE, SEASON_MIN_S
from memwatch.detection.statistics.robust_weights import OUTLIER_SIGMAS, drawn_in

SLOWING_FROM, SLOWING_STEPS = 0.25, 8
"""The first quarter is a warm-up; a falling rate shows after eight steps."""
SLOWING_COUNT, SLOWING_MEMORY = (0.65, 0.01), (0.7, 0.02)
"""Least share of the rate that must remain at the end, and p of the fall: for counts, where a lower load is the
likelier reason, and for memory without a type or container. Among n requests, distinct keys that come by popularity are
n to the power of .4 to .7 (Heaps' law): their rate ends at .44 to .66 of the rate after the first quarter."""


def _slowing(case: Case) -> Decision | None:
    """Wait where the rate falls steadily: a leak with every request continues, a cache finds fewer and fewer new keys.

    The rate is growth by request and task where these are counted, else by second. Over many hours the rate of a
    count may fall with the day's load; for memory without a type or container only a steady rate supports a leak.
    """
    memory = case.is_unnamed_memory
    if case.sawtooth or may_rest(case) or (case.span_s >= SEASON_MIN_S and not memory):
        return None
    start = case.times[0] + SLOWING_FROM * case.span_s
    rates = [(time, rate) for time, rate in _rates(case) if time >= start]
    if len(rates) < SLOWING_STEPS:
        return None
    times, values = [time for time, _ in rates], [rate for _, rate in rates]
    trend, mean = mann_kendall(values), fmean(values)
    bend = theil_sen(times, values).slope * (times[-1] - times[0]) / 2
    share = (mean + bend) / (mean - bend) if bend < mean else 1.0
    case.statistics |= {"rate_share": share, "rate_p": trend.p / 2 if trend.s < 0 else 1 - trend.p / 2}
    least, chance = SLOWING_MEMORY if memory else SLOWING_COUNT
    if share >= least or case.statistics["rate_p"] >= chance or _fell_once(times, values):
        return None
    return Decision("not enough data", f"its rate has fallen to {percent(share)}, as a cache's does while it fills")


def _explain_slowing(case: Case) -> str | None:
    share = case.statistics.get("rate_share")
    if share is None:
        return None
    least, chance = SLOWING_MEMORY if case.is_unnamed_memory else SLOWING_COUNT
    return (
        f"its rate ends at {share * 100:.0f} % of the rate after the first quarter, p = "
        f"{case.statistics['rate_p']:.2g} (at least {least * 100:.0f} %, or p of at least {chance})"
    )


SLOWING = Rule(
    name="slowing",
    question="Does it keep its rate?",
    decide=_slowing,
    explain=_explain_slowing,
    not_applicable="too few steps, a saw-tooth, or a window in which the day's load changes",
)


def _fell_once(times: Sequence[float], rates: Sequence[float]) -> bool:
    """Whether two constant levels fit the rates better than a line: one part is full and the rest continues to grow.

    By Schwarz's criterion; the position of the fall counts as two parameters.
    """
    n, tamed = len(rates), _without_outliers(times, rates)
    span = times[-1] - times[0]
    line = solve(([1.0] * n, [(time - times[0]) / span for time in times]), tamed, [1.0] * n)
    if line is None:
        return False
    two_levels = min(_squares(tamed[:k]) + _squares(tamed[k:]) for k in range(2, n - 1))
    noise = n * (NOISE_FLOOR_SHARE * fmean(rates)) ** 2
    return n * math.log((two_levels + noise) / (line[1] + noise)) + 2 * math.log(n) < 0


def _without_outliers(times: Sequence[float], rates: Sequence[float]) -> list[float]:
    """The rates, none further from Theil-Sen's line than Huber's limit."""
    slope = theil_sen(times, rates).slope
    base = median(rate - slope * time for time, rate in zip(times, rates, strict=True))
    line = [base + slope * time for time in times]
    limit = OUTLIER_SIGMAS * GAUSSIAN_MAD * median(abs(rate - level) for rate, level in zip(rates, line, strict=True))
    return drawn_in(rates, line, [limit] * len(rates))


def _squares(values: Sequence[float]) -> float:
    """The sum of squared deviations from the mean."""
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values)


def _rates(case: Case) -> list[tuple[float, float]]:
    """``(time, growth)`` for each step: growth by request and task where these are counted, else by second."""
    work = case.history.work()
    done = dict(zip(case.history.times, case.history.times if work is None else work, strict=True))
    points = [(time, done[time], value) for time, value in zip(case.times, case.values, strict=True)]
    return [(time, (b - a) / (u - x)) for (_, x, a), (time, u, b) in pairwise(points) if u > x]
