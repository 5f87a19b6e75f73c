"""A simulated service: its workers leak, warm up, share and have peaks as its truth says, job by job."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator

from memwatch.recommendations.facts import CONTAINER, Life, Peaks, Point, Service

STEPS = 60
"""Looks at a life: between two the jobs are taken together."""
HOUR = 3600.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    """What a service really does. Sizes in MB; ``…_spread`` is a standard deviation as a share of the mean."""

    name: str
    server: str
    workers: int
    limit_mb: float
    base_mb: float
    """Resident in a fresh worker, shared pages included."""
    base_spread: float = 0.02
    shared_mb: float = 0.0
    """Of these, pages shared with the parent."""
    warm_mb: float = 0.0
    warm_jobs: float = 1.0
    """Jobs after which two thirds of the warm-up are over."""
    leak_kib_per_job: float = 0.0
    leak_mb_per_hour: float = 0.0
    leak_spread: float = 0.1
    """From life to life."""
    jobs_per_hour: float = 1000.0
    rate_spread: float = 0.3
    peak_mb: float = 1.0
    """Median rise during a job."""
    peak_sigma: float = 0.5
    """Of its logarithm."""
    big_mb: float = 0.0
    """Rise of a rare big job."""
    big_share: float = 0.0
    """Of the jobs."""
    busy: float = 0.5
    """Share of the time in which a worker has a job."""
    history_jobs: int = 1000
    """Jobs of a life in the week before: what was set then."""
    parent_mb: float = 0.0
    others_mb: float = 0.0
    leaks: bool = True
    fits: bool = True
    """Whether the workers fit below the limit at all."""


class Worker:
    """One life."""

    def __init__(self, truth: Truth, chance: random.Random) -> None:
        self.truth, self.chance = truth, chance
        self.base_mb = truth.base_mb * max(0.5, chance.gauss(1, truth.base_spread))
        scale = max(0.2, chance.gauss(1, truth.leak_spread))
        self.per_job_mb = truth.leak_kib_per_job / 1024 * scale
        self.per_hour_mb = truth.leak_mb_per_hour * scale
        self.rate = truth.jobs_per_hour * max(0.1, chance.gauss(1, truth.rate_spread))
        self.jobs = self.age_h = 0.0
        self.highest_rss_mb = self.floor_mb

    @property
    def floor_mb(self) -> float:
        """Resident between two jobs."""
        warm = self.truth.warm_mb * (1 - math.exp(-self.jobs / self.truth.warm_jobs))
        return self.base_mb + warm + self.per_job_mb * self.jobs + self.per_hour_mb * self.age_h

    @property
    def private_mb(self) -> float:
        return self.floor_mb - self.truth.shared_mb

    def work(self, jobs: float) -> float:
        """Do some jobs; the highest rise among them."""
        self.jobs += jobs
        self.age_h += jobs / self.rate
        rise = self.rise(max(1.0, jobs))
        self.highest_rss_mb = max(self.highest_rss_mb, self.floor_mb + rise)
        return rise

    def rise(self, jobs: float = 1.0) -> float:
        """The highest rise among so many jobs: a quantile of one draw."""
        truth = self.truth
        share = self.chance.random() ** (1 / jobs)
        usual = truth.peak_mb * math.exp(truth.peak_sigma * _normal(share))
        big = self.chance.random() < 1 - (1 - truth.big_share) ** jobs
        return max(usual, truth.big_mb * self.chance.uniform(0.85, 1.0) if big else 0.0)


def _normal(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(min(max(share, 1e-12), 1 - 1e-12))


def history(truth: Truth, seed: int, lives: int = 30) -> Service:
    """A week as memwatch would have stored it, with the settings of then."""
    chance = random.Random(f"{truth.name} {seed}")
    stored, rises, calls = [], [], 0
    for number in range(lives):
        worker, points = Worker(truth, chance), []
        step = truth.history_jobs / STEPS
        for look in range(STEPS):
            rise = worker.work(step)
            rises.append(worker.rise())
            calls += round(step)
            highest = max(rise, 0.0)
            in_a_job = chance.random() < truth.busy
            rss = worker.floor_mb + (chance.random() * worker.rise() if in_a_job else 0) + chance.gauss(0, 0.3)
            private = rss - truth.shared_mb if look % 5 == 0 else None
            points.append(Point(worker.age_h * HOUR, worker.jobs, rss, private))
            rises.append(highest)
        stored.append(
            Life(
                started_s=1e9 + number * 5 * HOUR,
                lifetime_s=worker.age_h * HOUR,
                points=tuple(points),
                end_reason="recycled",
            )
        )
    rises.sort()
    usual = sorted(Worker(truth, chance).rise() for _ in range(2000))
    return Service(
        name=truth.name,
        server=truth.server,
        lives=tuple(stored),
        workers=truth.workers,
        limit_mb=truth.limit_mb,
        limit_of=CONTAINER,
        parent_mb=truth.parent_mb,
        others_mb=truth.others_mb,
        peaks=Peaks(calls=calls, typical_mb=usual[int(0.95 * len(usual))], highest_mb=rises[-1]),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """Numbers in force; ``None``: none."""

    jobs: int | None = None
    jitter: int = 0
    memory_mb: float | None = None
    """Highest resident memory, after a job; as billiard reads it."""
    workers: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class LifeSeen:
    """One life below the numbers."""

    jobs: float
    hours: float
    peak_mb: float
    """The most that all processes below the limit took during it."""
    by_memory: bool


def run(truth: Truth, limits: Limits, seed: int, lives: int = 200, most_hours: float = 24 * 14) -> list[LifeSeen]:
    """So many lives of a service with these numbers; all workers start together, as after a deploy."""
    chance = random.Random(f"{truth.name} {seed} reality")
    slots = [_slot(truth, limits, chance, most_hours) for _ in range(limits.workers)]
    current = [next(slot) for slot in slots]
    peaks = [0.0] * limits.workers
    seen: list[LifeSeen] = []
    fixed = max(truth.parent_mb, truth.shared_mb) + truth.others_mb
    while len(seen) < lives:
        at = min(range(limits.workers), key=lambda number: current[number].clock)
        step = current[at]
        floors = fixed + sum(each.private_mb for each in current)
        others = sum(
            each.worker.rise() for place, each in enumerate(current) if place != at and chance.random() < truth.busy
        )
        total = floors + step.rise_mb + others
        peaks = [max(peak, total) for peak in peaks]
        if step.ended:
            seen.append(
                LifeSeen(jobs=step.worker.jobs, hours=step.worker.age_h, peak_mb=peaks[at], by_memory=step.by_memory)
            )
            peaks[at] = 0.0
        current[at] = next(slots[at])
    return seen


@dataclasses.dataclass
class _Step:
    clock: float
    worker: Worker
    private_mb: float
    rise_mb: float
    ended: bool
    by_memory: bool = False


def _slot(truth: Truth, limits: Limits, chance: random.Random, most_hours: float) -> Iterator[_Step]:
    clock = 0.0
    while True:
        worker = Worker(truth, chance)
        last = None if limits.jobs is None else limits.jobs + chance.randint(0, limits.jitter)
        step = max(1.0, min(last or math.inf, most_hours * worker.rate) / STEPS)
        while True:
            jobs = step if last is None else min(step, last - worker.jobs)
            rise = worker.work(jobs)
            by_jobs = last is not None and worker.jobs >= last - 1e-6
            by_memory = limits.memory_mb is not None and worker.highest_rss_mb > limits.memory_mb
            ended = by_jobs or by_memory or worker.age_h >= most_hours
            yield _Step(
                clock + worker.age_h, worker, worker.private_mb, rise, ended, by_memory=by_memory and not by_jobs
            )
            if ended:
                break
        clock += worker.age_h
