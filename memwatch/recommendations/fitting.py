"""From the points of a life to what it was born with and how it grew, and whether the lives agree that it grew."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist, fmean, median, pstdev

from memwatch.detection.statistics.estimators import Slope, mann_kendall, theil_sen
from memwatch.recommendations.facts import Life, Point

HOUR_S = 3600.0
MIN_POINTS = 6
"""Figures of a life: fewer say nothing of its growth."""
MOST_FLOORS = 24
"""Stretches into which a life is cut; the lowest figure of each is its floor."""
WARM_UP_SHARE, WARM_UP_SHARE_OF_MANY, MANY_FLOORS = 1 / 3, 1 / 2, 12
"""Of a life, the first part is left out: a worker warms up. More of it where enough remains."""
SURE = 0.99
"""With which the lives together must have grown."""
CLEARER = 0.7
"""Growth goes by time where its residuals are smaller than by jobs by this ratio."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """One life in figures. Growth is that of resident memory once it is warm."""

    life: Life
    base_mb: float
    """Resident when it is warm, without its growth."""
    shared_mb: float
    """Of that, shared with other processes; 0 where it is not known."""
    per_job: Slope
    """MB."""
    per_hour: Slope
    """MB."""
    base_at_hour_0_mb: float
    """The same as ``base_mb`` if memory grows with time."""
    jobs_per_hour: float
    score: int
    """Mann-Kendall's S of its floors once it is warm, and its variance."""
    score_variance: float
    misfit_by_jobs: float
    misfit_by_time: float
    """Mean distance of its floors from the line, in MB."""
    highest_mb: float
    """The highest figure."""

    def base(self, *, by_time: bool) -> float:
        """Private memory of the warm worker, without its growth."""
        return (self.base_at_hour_0_mb if by_time else self.base_mb) - self.shared_mb

    def growth(self, *, by_time: bool) -> Slope:
        """By hour, or by job."""
        return self.per_hour if by_time else self.per_job


def fit(life: Life) -> Fit | None:
    """``None`` with fewer than :data:`MIN_POINTS` figures."""
    if len(life.points) < MIN_POINTS:
        return None
    floors = _floors(life.points)
    share = WARM_UP_SHARE_OF_MANY if len(floors) >= MANY_FLOORS else WARM_UP_SHARE
    warm = floors[int(len(floors) * share) :]
    sizes = [point.rss_mb for point in warm]
    jobs, hours = [point.jobs for point in warm], [point.age_s / HOUR_S for point in warm]
    per_job, per_hour = theil_sen(jobs, sizes), theil_sen(hours, sizes)
    base, misfit_by_jobs = _level(jobs, sizes, per_job.slope)
    base_at_0, misfit_by_time = _level(hours, sizes, per_hour.slope)
    trend = mann_kendall(sizes)
    span_h = life.points[-1].age_s / HOUR_S
    return Fit(
        life=life,
        base_mb=base,
        shared_mb=_shared(life.points),
        per_job=per_job,
        per_hour=per_hour,
        base_at_hour_0_mb=base_at_0,
        jobs_per_hour=life.jobs / span_h if span_h > 0 else 0.0,
        score=trend.s,
        score_variance=trend.variance,
        misfit_by_jobs=misfit_by_jobs,
        misfit_by_time=misfit_by_time,
        highest_mb=max(point.rss_mb for point in life.points),
    )


def _floors(points: Sequence[Point]) -> list[Point]:
    """The lowest figure of each stretch: what lies above is a job that was running."""
    count = min(MOST_FLOORS, max(MIN_POINTS, len(points) // 2)) if len(points) > MIN_POINTS else len(points)
    edges = [round(number * len(points) / count) for number in range(count + 1)]
    stretches = [points[low:high] for low, high in pairwise(edges) if high > low]
    return [min(stretch, key=lambda point: point.rss_mb) for stretch in stretches]


def _level(at: Sequence[float], sizes: Sequence[float], slope: float) -> tuple[float, float]:
    """Where the line through the highest floors begins, and how far floors lie from their median line."""
    levels = [size - max(slope, 0.0) * place for place, size in zip(at, sizes, strict=True)]
    middle = median(levels)
    return max(levels), fmean(abs(level - middle) for level in levels)


def _shared(points: Sequence[Point]) -> float:
    late = points[len(points) // 2 :]
    known = [point.rss_mb - point.private_mb for point in late if point.private_mb is not None]
    if not known:
        known = [point.rss_mb - point.private_mb for point in points if point.private_mb is not None]
    return max(0.0, median(known)) if known else 0.0


def grows(fits: Sequence[Fit]) -> bool:
    """Whether the lives together have grown: the sum of their Mann-Kendall scores."""
    score, variance = sum(each.score for each in fits), sum(each.score_variance for each in fits)
    return variance > 0 and score / math.sqrt(variance) > NormalDist().inv_cdf(SURE)


def grows_with_time(fits: Sequence[Fit]) -> bool:
    """Whether growth follows the clock more closely than the jobs: in each life, and from life to life."""
    if not all(each.life.jobs for each in fits):
        return True
    by_jobs = _spread([each.per_job.slope for each in fits]) + _misfit([each.misfit_by_jobs for each in fits], fits)
    by_time = _spread([each.per_hour.slope for each in fits]) + _misfit([each.misfit_by_time for each in fits], fits)
    return by_time < CLEARER * by_jobs


def _spread(values: Sequence[float]) -> float:
    mean = fmean(values)
    return pstdev(values) / mean if mean > 0 else math.inf


def _misfit(misfits: Sequence[float], fits: Sequence[Fit]) -> float:
    grown = fmean(max(each.per_job.slope * each.life.jobs, 1e-6) for each in fits)
    return fmean(misfits) / grown
