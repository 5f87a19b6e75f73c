"""Which shape has a series over time? Least-squares fits of leaking and harmless ones, weighed against each other.

Nothing is decided by the one best fit: all places of all bends are weighed by their evidence (the marginal likelihood
of a linear model under Zellner's g-prior with g = n, Liang et al. 2008), and the shares of the leaking shapes add up
to a probability. Where the points do not tell, a probability near a half is what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memwatch.detection.statistics.curve_models import (
    Fit,
    Points,
    broken_lines,
    loads,
    ramps,
    records,
    seasons,
    warm_ups,
)
from memwatch.detection.statistics.estimators import thin
from memwatch.detection.statistics.robust_weights import weighed

MAX_POINTS = 150
"""A longer series is thinned to medians before it is fitted: the shape stays, the cost is bounded."""

SEASON_MIN_S = 4 * 3600.0
"""In a shorter window a daily curve cannot be distinguished from a line."""

PLACES_POWER = 0.75
"""Neighbouring places of a bend fit alike under noise, so that they count as fewer than they are."""

LEAKING_ODDS = 1.6
"""Prior odds: nine harmless shapes and five or six leaking ones are tried, and both kinds are equally likely."""

NOISE_FLOOR_SHARE = 0.004
"""Deviations below this share of the range are no evidence for a shape: no real load is steadier."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best fits of leaking and harmless shapes."""

    probability: float
    """Probability of a leaking shape, with equal prior probabilities of both kinds."""
    leaking: Fit
    """The best leaking shape."""
    harmless: Fit
    """The best harmless shape."""


def compare(
    times: Sequence[float], values: Sequence[float], *, work: Sequence[float] | None = None
) -> Comparison | None:
    """Fit everything; ``None`` for fewer than 6 points or a series that stands still.

    ``work``: requests and tasks handled so far at each time, where known. Growth along it leaks; growth along its
    *rate* only follows load.
    """
    span_s = times[-1] - times[0] if len(times) > 1 else 0.0
    if len(times) < 6 or span_s <= 0:
        return None
    start = times[0]
    if work is not None:
        work = thin(times, work, MAX_POINTS)[1]
    times, values = thin(times, values, MAX_POINTS)
    values, weightings = weighed(times, values)
    low, high = min(values), max(values)
    if high <= low:
        return None
    t = [(time - start) / span_s for time in times]
    y = [(value - low) / (high - low) for value in values]
    floor = max(NOISE_FLOOR_SHARE, 0.3 / (high - low))
    weighty: list[tuple[float, Fit]] = []
    for weights in weightings:
        fits = list(_fits(Points(t, y, weights), span_s, work))
        weighty.extend(zip(_evidence(fits, weights, floor), fits, strict=True))
    return _compared(weighty)


def _fits(points: Points, span_s: float, work: Sequence[float] | None) -> Iterator[Fit]:
    yield from ramps(points)
    yield from broken_lines(points)
    yield from warm_ups(points)
    yield from records(points)
    if span_s >= SEASON_MIN_S:
        yield from seasons(points, span_s)
    if work is not None:
        yield from loads(points, work)


def _evidence(fits: Sequence[Fit], weights: Sequence[float], floor: float) -> Iterator[float]:
    """Logarithms of how likely the points are under each, up to what is common to all weightings of them."""
    n = len(weights)
    total = fits[0].residual + n * floor * floor
    free = n - 1
    about_level = sum(map(math.log, weights)) / 2 - free / 2 * math.log(total)
    for fit in fits:
        unexplained = min(1.0, (fit.residual + n * floor * floor) / total)
        fitted = (free - (fit.parameters - 2)) / 2 * math.log(1 + n) - free / 2 * math.log(1 + n * unexplained)
        yield about_level + fitted - PLACES_POWER * math.log(fit.places)


def _compared(weighty: Sequence[tuple[float, Fit]]) -> Comparison:
    best = max(evidence for evidence, _ in weighty)
    leaking = harmless = 0.0
    for evidence, fit in weighty:
        if fit.leaking:
            leaking += LEAKING_ODDS * math.exp(evidence - best)
        else:
            harmless += math.exp(evidence - best)
    ordered = [fit for _, fit in sorted(weighty, key=lambda pair: -pair[0])]
    return Comparison(
        leaking / (leaking + harmless),
        next(fit for fit in ordered if fit.leaking),
        next(fit for fit in ordered if not fit.leaking),
    )
