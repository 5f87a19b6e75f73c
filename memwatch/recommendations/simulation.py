"""What numbers would have done to the last week: its lives, cut where the numbers cut them."""

from __future__ import annotations

import dataclasses
import heapq
import math
import random

from memwatch.recommendations.fitting import HOUR_S, Fit
from memwatch.recommendations.plan import Plan

WEEK_H = 7 * 24.0
MOST_LIVES = 1000
"""Of all workers together; where lives are short, less than a week is simulated."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """Settings that end a life; ``None``: none does."""

    jobs: int | None = None
    jitter: int = 0
    memory_mb: float | None = None
    """Highest resident memory after a job."""
    workers: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A simulated week."""

    peak_mb: float
    """The most that all processes below the limit took at once."""
    recycles_per_day: float
    """Of all workers."""
    jobs_per_life: float | None
    """The mean of the lives that ended."""
    hours: float
    """What was simulated."""


def simulate(plan: Plan, numbers: Numbers) -> Outcome:
    """All workers start together, as after a deploy, and each goes through the stored lives in an order of its own."""
    chance = random.Random(0)  # noqa: S311 - the same figures give the same outcome
    slots = [_Slot(plan, numbers, chance) for _ in range(max(1, numbers.workers))]
    ends = [(slot.ends_at, number) for number, slot in enumerate(slots)]
    heapq.heapify(ends)
    peak, lives, jobs, now = 0.0, 0, 0.0, 0.0
    while ends:
        now, number = heapq.heappop(ends)
        if now >= WEEK_H or lives >= MOST_LIVES:
            now = min(now, WEEK_H)
            peak = max(peak, sum(slot.size_mb(now) for slot in slots))
            break
        peak = max(peak, sum(slot.size_mb(now) for slot in slots))
        lives += 1
        jobs += slots[number].jobs
        slots[number].begin(now)
        heapq.heappush(ends, (slots[number].ends_at, number))
    workers = 1 if plan.per_process else len(slots)
    jobs_at_once = plan.highest_mb + (workers - 1) * plan.usual_mb
    hours = max(now, 1e-9)
    return Outcome(
        peak_mb=(peak / len(slots) if plan.per_process else peak) + plan.fixed_mb + jobs_at_once,
        recycles_per_day=lives / hours * 24,
        jobs_per_life=jobs / lives if lives else None,
        hours=hours,
    )


class _Slot:
    """One worker after the other."""

    def __init__(self, plan: Plan, numbers: Numbers, chance: random.Random) -> None:
        self._plan, self._numbers, self._chance = plan, numbers, chance
        self._order = list(plan.fits)
        chance.shuffle(self._order)
        self._next = 0
        self.began = self.ends_at = self.jobs = 0.0
        self.begin(0.0)

    def begin(self, now: float) -> None:
        fit = self._order[self._next % len(self._order)]
        self._next += 1
        self._fit, self.began = fit, now
        self.jobs = self._jobs(fit)
        hours = self.jobs / fit.jobs_per_hour if fit.jobs_per_hour > 0 else math.inf
        self.ends_at = now + max(hours, 1 / HOUR_S)

    def _jobs(self, fit: Fit) -> float:
        jobs = math.inf
        if self._numbers.jobs:
            jobs = float(self._numbers.jobs + self._chance.randint(0, self._numbers.jitter))
        if self._numbers.memory_mb:
            growth = self._per_hour_mb(fit) / fit.jobs_per_hour if fit.jobs_per_hour > 0 else 0.0
            highest = fit.base(by_time=self._plan.by_time) + fit.shared_mb + self._plan.usual_mb
            left = self._numbers.memory_mb - highest
            by_memory = max(1.0, left / growth) if growth > 0 else (math.inf if left > 0 else 1.0)
            jobs = min(jobs, by_memory)
        return jobs

    def _per_hour_mb(self, fit: Fit) -> float:
        slope = fit.per_hour.slope if self._plan.by_time else fit.per_job.slope * fit.jobs_per_hour
        return max(0.0, slope)

    def size_mb(self, now: float) -> float:
        """Private memory; with a limit for each process, what is resident."""
        shared = self._fit.shared_mb if self._plan.per_process else 0.0
        return self._fit.base(by_time=self._plan.by_time) + shared + self._per_hour_mb(self._fit) * (now - self.began)
