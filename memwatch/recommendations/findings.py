"""What the lives of a service say beside the numbers: contradictions, and what recycling cannot mend."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from memwatch.detection.statistics.estimators import mann_kendall
from memwatch.recommendations import plan as plans
from memwatch.recommendations.facts import Service
from memwatch.recommendations.fitting import Fit
from memwatch.recommendations.plan import Plan, rss_base_mb
from memwatch.records import KIB_PER_MB

MIN_BIRTHS = 6
PARENT_GROWS = 0.05
"""By which share workers are born larger from the first to the last of the lives."""
MOSTLY_SHARED = 0.5


class Finding(NamedTuple):
    """One sentence with a stable name."""

    code: str
    text: str
    is_problem: bool = True


def findings(service: Service, plan: Plan) -> tuple[Finding, ...]:
    """Problems first."""
    found = [
        _limit_too_low(plan),
        _kill_loop(service, plan),
        _parent_grows(plan),
        _no_recycling(service, plan),
        _by_time(plan),
        _one_worker(service, plan),
        _release(service, plan),
        _shared(plan),
    ]
    return tuple(sorted([each for each in found if each is not None], key=lambda each: not each.is_problem))


def fresh_peak_mb(plan: Plan) -> float:
    """Resident memory that a fresh worker reaches in its largest job."""
    return rss_base_mb(plan) + plan.highest_mb


def _limit_too_low(plan: Plan) -> Finding | None:
    if plan.state != plans.IMPOSSIBLE or plan.target_mb is None:
        return None
    need = plan.need_mb(plan.counted)
    more = (
        f"{plan.counted} fresh workers with their jobs need {need:,.0f} MB"
        if need > plan.target_mb
        else f"{plan.counted} workers need {need:,.0f} MB and grow so fast that they must be replaced after "
        f"{plan.jobs_for(plan.counted):,.0f} jobs"
    )
    workers = f", or run {plan.most_workers} workers" if plan.most_workers else ""
    return Finding(
        "limit_too_low",
        f"{more}, and the target is {plan.target_mb:,.0f} MB. No recycling mends that: raise the limit{workers}.",
    )


def _kill_loop(service: Service, plan: Plan) -> Finding | None:
    limit = service.current.get("max_memory_per_child")
    if not plan.fits or not isinstance(limit, int) or not limit:
        return None
    fresh = fresh_peak_mb(plan)
    if fresh * KIB_PER_MB <= limit:
        return None
    return Finding(
        "kill_loop",
        f"worker_max_memory_per_child is {limit:,} KB ({limit / KIB_PER_MB:,.0f} MB), and a fresh child reaches "
        f"{fresh:,.0f} MB in its largest job: each child is replaced after it. billiard compares the highest resident "
        "memory of the child's life.",
    )


def _parent_grows(plan: Plan) -> Finding | None:
    """Children inherit what leaks in the process that starts them."""
    born = [each.base_mb for each in sorted(plan.fits, key=lambda each: each.life.started_s)]
    if len(born) < MIN_BIRTHS:
        return None
    third = max(2, len(born) // 3)
    first, last = median(born[:third]), median(born[-third:])
    trend = mann_kendall(born)
    if trend.p > 0.01 or trend.s < 0 or last < (1 + PARENT_GROWS) * first:
        return None
    return Finding(
        "parent_grows",
        f"Each new worker is larger than the one before: {first:,.0f} MB at first, {last:,.0f} MB in the end. The "
        "process that starts them grows, and they inherit it: recycling workers does not help. Restart the whole "
        "server.",
    )


def _no_recycling(service: Service, plan: Plan) -> Finding | None:
    pool = service.current.get("pool")
    if service.server != "celery" or plan.state != plans.RECYCLE or pool in (None, "prefork", "processes"):
        return None
    return Finding(
        "no_recycling",
        f"The pool is {pool}: Celery replaces processes of the prefork pool alone. Restart the whole worker, or use "
        "--pool=prefork.",
    )


def _by_time(plan: Plan) -> Finding | None:
    if plan.state != plans.RECYCLE or not plan.by_time or not plan.usual_rate:
        return None
    return Finding(
        "by_time",
        "Memory grows with time and not with jobs: a limit by jobs is late where few jobs come. A limit by memory or "
        "by age is better where the server has one.",
        is_problem=False,
    )


def _one_worker(service: Service, plan: Plan) -> Finding | None:
    if plan.state != plans.RECYCLE or service.workers != 1 or plan.jobs is None:
        return None
    return Finding(
        "one_worker",
        "There is one worker: while it is replaced, nothing works. Run two where they fit.",
        is_problem=False,
    )


def _release(service: Service, plan: Plan) -> Finding | None:
    releases = {each.life.release for each in plan.fits if each.life.release}
    known = {life.release for life in service.lives if life.release}
    if len(known) < 2:
        return None
    if len(releases) == 1:
        text = f"Counted are the {len(plan.fits)} lives of the newest release, {next(iter(releases))}."
    else:
        text = f"The newest release has fewer than {plans.MIN_LIVES} lives: those of {len(known)} releases are counted."
    return Finding("release", text, is_problem=False)


def _shared(plan: Plan) -> Finding | None:
    def share(each: Fit) -> float:
        return each.shared_mb / each.base_mb if each.base_mb > 0 else 0.0

    if not plan.fits or plan.per_process or median(map(share, plan.fits)) < MOSTLY_SHARED:
        return None
    shared = median([each.shared_mb for each in plan.fits])
    return Finding(
        "shared",
        f"{shared:,.0f} MB of each worker are shared with the others, and counted once.",
        is_problem=False,
    )
