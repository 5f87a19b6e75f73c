"""Which shape has a series over time? Least-squares fits of leaking and harmless ones, weighed against each other.

Nothing is decided by the one best fit: all places of all bends are weighed by their evidence (the marginal likelihood
of a linear model under Zellner's g-prior with g = n, Liang et al. 2008), and the shares of the leaking shapes add up
to a probability. Where the points do not tell, a probability near a half is what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from memwatch.detection.estimators import tame, thin
from memwatch.detection.families import Fit, Points, broken_lines, loads, ramps, records, seasons, warm_ups

MAX_POINTS = 150
"""A longer series is thinned to medians before it is fitted: the shape stays, the cost is bounded."""

SEASON_MIN_S = 4 * 3600.0
"""A daily curve cannot be told from a line in a shorter window."""

PLACES_POWER = 0.75
"""Neighbouring places of a bend fit alike under noise, so that they count as fewer than they are."""

LEAKING_ODDS = 1.6
"""Nine harmless shapes are tried and five or six leaking ones; both kinds are to be as likely beforehand."""

NOISE_FLOOR_SHARE = 0.004
"""Deviations below this share of the range are no evidence for a shape: no real load is steadier."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the shapes say."""

    probability: float
    """Of a leaking shape, when both kinds were as likely beforehand."""
    leaking: Fit
    """The best of the leaking ones."""
    harmless: Fit
    """The best of the harmless ones."""


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
    values, trust = tame(times, values)
    low, high = min(values), max(values)
    if high <= low:
        return None
    t = [(time - start) / span_s for time in times]
    y = [(value - low) / (high - low) for value in values]
    points = Points(t, y, trust)
    fits = [
        *ramps(points),
        *broken_lines(points),
        *warm_ups(points),
        *records(points),
    ]
    if span_s >= SEASON_MIN_S:
        fits.extend(seasons(points, span_s))
    if work is not None:
        fits.extend(loads(points, work))
    return _weigh(fits, len(t), max(NOISE_FLOOR_SHARE, 0.3 / (high - low)))


def _weigh(fits: Sequence[Fit], n: int, floor: float) -> Comparison:
    total = fits[0].residual + n * floor * floor

    def evidence(fit: Fit) -> float:
        unexplained = min(1.0, (fit.residual + n * floor * floor) / total)
        free = n - 1
        fitted = (free - (fit.parameters - 2)) / 2 * math.log(1 + n) - free / 2 * math.log(1 + n * unexplained)
        return fitted - PLACES_POWER * math.log(fit.places)

    weights = [evidence(fit) for fit in fits]
    best = max(weights)
    leaking = harmless = 0.0
    for fit, weight in zip(fits, weights, strict=True):
        if fit.leaking:
            leaking += LEAKING_ODDS * math.exp(weight - best)
        else:
            harmless += math.exp(weight - best)
    ordered = sorted(zip(weights, range(len(fits)), strict=True), reverse=True)
    return Comparison(
        leaking / (leaking + harmless),
        next(fits[i] for _, i in ordered if fits[i].leaking),
        next(fits[i] for _, i in ordered if not fits[i].leaking),
    )
