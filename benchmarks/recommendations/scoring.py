"""Runs a simulated service with the numbers recommended for it, and with a life of 100 jobs, and compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from statistics import fmean

from benchmarks.recommendations.world import LifeSeen, Limits, Truth, history, run
from memwatch.recommendations import advice, plan
from memwatch.recommendations.advice import Advice
from memwatch.records import KIB_PER_MB

TARGET_SHARE = 0.8
MOST_WAITED_JOBS = 10
"""A life that its memory limit ends sooner is one of a kill loop."""
RARE = 0.02
"""A kill loop is more than this share of such lives."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """What came of the numbers of one service. Shares are from 0 to 1."""

    name: str
    state: str
    jobs: int | None
    memory_mb: float | None
    under_target: float
    """Of the lives."""
    kill_loop: bool
    fewer_recycles: float | None
    """Than with a life of 100 jobs; ``None`` where 100 jobs are more than a life may have."""
    filled: float
    """How much of the target the median life used."""
    right: bool
    """Whether it says that there is a leak where there is one, and none where there is none."""


def score(truth: Truth, seed: int) -> Score:
    """One history, one set of numbers, 200 new lives."""
    service = history(truth, seed)
    advised = advice.advise(service, TARGET_SHARE)
    limits = limits_of(advised, truth.workers)
    seen = run(truth, limits, seed + 1)
    baseline = run(truth, Limits(jobs=100, workers=truth.workers), seed + 1)
    target = TARGET_SHARE * truth.limit_mb
    sizes = sorted(life.peak_mb for life in seen)
    may = (limits.jobs or 10**9) >= 100
    return Score(
        name=truth.name,
        state=advised.state,
        jobs=limits.jobs,
        memory_mb=limits.memory_mb,
        under_target=fmean(life.peak_mb <= target for life in seen),
        kill_loop=fmean(life.by_memory and life.jobs <= MOST_WAITED_JOBS for life in seen) > RARE,
        fewer_recycles=1 - _recycles(seen) / _recycles(baseline) if may else None,
        filled=sizes[len(sizes) // 2] / target,
        right=advised.state == (plan.RECYCLE if truth.leaks else plan.NOT_NEEDED),
    )


def _recycles(lives: Sequence[LifeSeen]) -> float:
    """In an hour of a worker."""
    return len(lives) / sum(life.hours for life in lives)


def limits_of(advised: Advice, workers: int) -> Limits:
    """The rows as a server would take them."""

    def value(name: str) -> int:
        row = advised.setting(name)
        return (row.recommended or 0) if row else 0

    jobs = value(advice.REQUESTS) or value(advice.TASKS)
    memory = value(advice.MEMORY)
    return Limits(
        jobs=jobs or None,
        jitter=value(advice.JITTER_SETTING),
        memory_mb=memory / KIB_PER_MB if memory else None,
        workers=value(advice.WORKERS) or value(advice.CONCURRENCY) or workers,
    )
