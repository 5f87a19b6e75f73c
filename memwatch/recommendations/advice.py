"""The numbers to set, for the server that the service runs with."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping

from memwatch.recommendations import plan as plans
from memwatch.recommendations.facts import PROCESS, Service
from memwatch.recommendations.findings import Finding, findings, fresh_peak_mb
from memwatch.recommendations.plan import Plan, rounded_down
from memwatch.recommendations.simulation import Numbers, Outcome, simulate
from memwatch.recommendations.spread import CAREFUL, CONFIDENCE, EVEN, upper_sum
from memwatch.recommendations.steps import steps
from memwatch.records import KIB_PER_MB

JITTER = 0.1
"""Share of max_requests that is added at random, so that not all workers are replaced at once."""
CONTAINER_STEP_MB = 64
WEB = ("gunicorn", "uvicorn", "hypercorn", "uwsgi")
"""Servers that replace a worker after a number of requests."""
JITTERED = ("gunicorn", "hypercorn", "uwsgi")
EVERY_100 = 100
"""What many set; the simulation compares it."""

REQUESTS, JITTER_SETTING = "max_requests", "max_requests_jitter"
TASKS, MEMORY = "worker_max_tasks_per_child", "worker_max_memory_per_child"
NO_RECYCLING = "no recycling needed: memory does not grow, or so slowly that a deploy comes before"
WORKERS, CONCURRENCY = "workers", "worker_concurrency"
REQUEST, LIMIT = "container_request_mb", "container_limit_mb"
CURRENT: Mapping[str, str] = {
    REQUESTS: "max_requests", JITTER_SETTING: "max_requests_jitter", TASKS: "max_tasks_per_child",
    MEMORY: "max_memory_per_child", WORKERS: "workers", CONCURRENCY: "concurrency",
}  # fmt: skip
"""The name under which the server says what is in force."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One row. 0 means none."""

    name: str
    current: int | None
    recommended: int | None
    low: int | None = None
    high: int | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Advice:
    """What fits one service."""

    service: Service
    plan: Plan
    settings: tuple[Setting, ...]
    findings: tuple[Finding, ...]
    steps: tuple[str, ...]
    outcomes: Mapping[str, Outcome]
    """Of a simulated week: with what is ``recommended``, what is in force (``current``), and ``every_100`` jobs."""

    @property
    def state(self) -> str:
        return self.plan.state

    @property
    def based_on(self) -> str:
        """In a few words."""
        lives = len(self.plan.fits)
        calls = self.service.peaks.calls if self.service.peaks else 0
        return f"{lives} {'life' if lives == 1 else 'lives'}, {calls:,} measured jobs"

    def setting(self, name: str) -> Setting | None:
        """The row of that name."""
        return next((each for each in self.settings if each.name == name), None)


def advise(service: Service, target_share: float) -> Advice:
    """``target_share``: which part of its limit memory may reach."""
    plan = plans.plan(service, target_share)
    rows = tuple(_rows(service, plan, target_share))
    return Advice(
        service=service,
        plan=plan,
        settings=rows,
        findings=findings(service, plan),
        steps=steps(service, plan, target_share),
        outcomes=_outcomes(service, plan, rows),
    )


def _rows(service: Service, plan: Plan, target_share: float) -> Iterator[Setting]:
    jobs, low, high, reason = _jobs(plan)
    if service.server in JITTERED:
        requests, jitter = with_jitter(jobs)
        yield _row(service, REQUESTS, requests, with_jitter(low)[0], high, reason)
        text = f"{JITTER:.0%} of {REQUESTS}: workers are then not replaced all at once" if requests else reason
        yield _row(service, JITTER_SETTING, jitter, None, None, text)
    elif service.server in WEB:
        yield _row(service, REQUESTS, jobs, low, high, reason)
    if service.server == "celery" and service.current.get("pool", "prefork") in ("prefork", "processes"):
        yield _row(service, TASKS, jobs, low, high, reason)
        yield _memory(service, plan)
    if service.server:
        yield _workers(service, plan)
    yield from _container(service, plan, target_share)


def _row(  # noqa: PLR0917 - the columns of a table
    service: Service, name: str, recommended: int | None, low: int | None, high: int | None, reason: str
) -> Setting:
    current = service.current.get(CURRENT[name])
    known = current if isinstance(current, int) else None
    return Setting(name=name, current=known, recommended=recommended, low=low, high=high, reason=reason)


def _jobs(plan: Plan) -> tuple[int | None, int | None, int | None, str]:
    if plan.state == plans.UNKNOWN:
        return None, None, None, f"not known yet: {plan.missing}"
    if plan.state == plans.NOT_NEEDED:
        return 0, None, None, NO_RECYCLING
    if plan.state == plans.IMPOSSIBLE:
        return None, None, None, "nothing fits: the limit is below what the workers need"
    if plan.jobs is None:
        return None, None, None, "not known yet: no worker counts its jobs, and memory grows"
    text = "the most jobs after which all workers together are still below the target"
    if plan.capped:
        text = f"{plans.EXTRAPOLATION} times the longest life seen; raise it again when lives of this length are known"
    return plan.jobs, plan.jobs_low, plan.jobs_high, text


def with_jitter(jobs: int | None) -> tuple[int | None, int | None]:
    """``max_requests`` and its jitter, so that the longest life has so many jobs."""
    if not jobs:
        return jobs, jobs
    requests = rounded_down(jobs / (1 + JITTER))
    return requests, int(requests * JITTER)


def _memory(service: Service, plan: Plan) -> Setting:
    if plan.state in (plans.UNKNOWN, plans.IMPOSSIBLE):
        return _row(service, MEMORY, None, None, None, _jobs(plan)[3])
    fresh = fresh_peak_mb(plan)
    if plan.state == plans.NOT_NEEDED:
        reason = f"{NO_RECYCLING}. If you set one: KB, above the {fresh:,.0f} MB of a fresh child in its largest job"
        return _row(service, MEMORY, 0, _kib(fresh), None, reason)
    if plan.target_mb is None:
        return _row(service, MEMORY, None, _kib(fresh), None, "not known yet: no limit of the container or the process")
    grown = plans.grown_mb(plan)
    reason = (
        f"KB; above the {fresh:,.0f} MB that a fresh child reaches in its largest job, and what {plan.counted} "
        "children may grow to"
    )
    if grown < fresh:
        reason = f"KB; the {fresh:,.0f} MB of a fresh child in its largest job: less would replace each child after it"
    return _row(service, MEMORY, _kib(max(grown, fresh)), _kib(fresh), _kib(fresh + plans.room_mb(plan)), reason)


def _kib(mb: float) -> int:
    return math.ceil(mb * KIB_PER_MB / 1000) * 1000


def _workers(service: Service, plan: Plan) -> Setting:
    name = CONCURRENCY if service.server == "celery" else WORKERS
    now = service.workers or None
    if plan.state == plans.UNKNOWN:
        return _row(service, name, None, None, None, f"not known yet: {plan.missing}")
    most = plan.most_workers
    if most is None:
        return _row(service, name, now, None, None, "the limit is that of each process, or none is known")
    if not most:
        return _row(service, name, None, None, 0, "not even one worker fits below the target")
    if now is not None and most < now:
        return _row(service, name, most, 1, most, f"{most} fit below the target, {now} do not")
    return _row(service, name, now, 1, most, f"{most} would fit; more need CPU as well")


def _container(service: Service, plan: Plan, target_share: float) -> Iterator[Setting]:
    if plan.state == plans.UNKNOWN or service.limit_of == PROCESS:
        return
    n = plan.counted
    own = 0.0 if service.limit_of != "host" else plan.others_mb
    current = int(service.limit_mb) if service.limit_mb and service.limit_of != "host" else None
    jobs = plan.jobs if plan.jobs is not None else plans.MIN_LIFE_JOBS
    if plan.state == plans.IMPOSSIBLE:
        jobs = max(plans.MIN_LIFE_JOBS, math.ceil(plan.usual_rate))

    def needed(confidence: float) -> int:
        growth = upper_sum(plan.growths_mb(), n, confidence) * jobs if plan.state != plans.NOT_NEEDED else 0.0
        return _stepped((plan.need_mb(n, confidence) - own + growth) / target_share)

    sure = needed(CONFIDENCE)
    growth = sum(plan.growths_mb()) / len(plan.fits) * jobs / 2 if plan.state != plans.NOT_NEEDED else 0.0
    mean = sum(plan.bases_mb()) / len(plan.fits)
    usual = _stepped(plan.fixed_mb - own + n * (mean + growth + plan.usual_mb))
    yield Setting(name=REQUEST, current=None, recommended=min(usual, sure), reason="what the workers usually take")
    if current is not None and plan.state == plans.RECYCLE and not plan.capped:
        sure = current  # the life of a worker was made to fit it
    yield Setting(
        name=LIMIT, current=current, recommended=sure, low=min(sure, needed(EVEN)), high=max(sure, needed(CAREFUL)),
        reason=f"so that the expected peak is {target_share:.0%} of it",
    )  # fmt: skip


def _stepped(mb: float) -> int:
    return max(1, math.ceil(mb / CONTAINER_STEP_MB)) * CONTAINER_STEP_MB


def _outcomes(service: Service, plan: Plan, rows: tuple[Setting, ...]) -> dict[str, Outcome]:
    if not plan.fits or plan.state == plans.UNKNOWN:
        return {}
    by_name = {row.name: row for row in rows}
    found = {"current": simulate(plan, _in_force(service, plan))}
    jobs = by_name.get(REQUESTS) or by_name.get(TASKS)
    if jobs is None or jobs.recommended is None:
        return found
    workers = by_name.get(WORKERS) or by_name.get(CONCURRENCY)
    jitter, memory = by_name.get(JITTER_SETTING), by_name.get(MEMORY)
    chosen = Numbers(
        jobs=jobs.recommended or None,
        jitter=(jitter.recommended or 0) if jitter else 0,
        memory_mb=memory.recommended / KIB_PER_MB if memory and memory.recommended else None,
        workers=(workers.recommended if workers else None) or plan.workers,
    )
    every_100 = Numbers(jobs=EVERY_100, workers=plan.workers)
    return {"recommended": simulate(plan, chosen), **found, "every_100": simulate(plan, every_100)}


def _in_force(service: Service, plan: Plan) -> Numbers:
    def whole(name: str) -> int:
        value = service.current.get(name)
        return value if isinstance(value, int) else 0

    jobs = whole("max_requests") or whole("max_tasks_per_child")
    memory = whole("max_memory_per_child")
    return Numbers(
        jobs=jobs or None,
        jitter=whole("max_requests_jitter"),
        memory_mb=memory / KIB_PER_MB if memory else None,
        workers=plan.workers,
    )
