"""The calculation, line by line, with its figures."""

from __future__ import annotations

from memwatch.recommendations import plan as plans
from memwatch.recommendations.facts import HOST, PROCESS, Service
from memwatch.recommendations.plan import Plan
from memwatch.recommendations.spread import CONFIDENCE, upper, upper_sum


def steps(service: Service, plan: Plan, target_share: float) -> tuple[str, ...]:
    """Nothing where nothing could be calculated."""
    if not plan.fits or plan.state == plans.UNKNOWN:
        return ()
    n, sure = plan.counted, f"{CONFIDENCE:.0%}"
    whose = {PROCESS: "of each process", HOST: "of the machine"}.get(service.limit_of, "of the container")
    lines = [f"{len(plan.fits)} lives, {min(_jobs(plan)):,.0f} to {max(_jobs(plan)):,.0f} jobs each"]
    if plan.target_mb is not None and plan.limit_mb is not None:
        whole = target_share * plan.limit_mb
        lines.append(f"Target: {target_share:.0%} of the limit {whose}, {plan.limit_mb:,.0f} MB: {whole:,.0f} MB")
    else:
        lines.append("Target: none, because no limit is known")
    if plan.fixed_mb:
        parts = f"parent or shared pages {plan.fixed_mb - plan.others_mb:,.0f} MB"
        others = f", other programs {plan.others_mb:,.0f} MB" if plan.others_mb else ""
        lines.append(f"Independent of the workers: {plan.fixed_mb:,.0f} MB ({parts}{others})")
    each = upper(plan.bases_mb())
    together = upper_sum(plan.bases_mb(), n)
    private = "private memory " if plan.fixed_mb and not plan.per_process else ""
    lines.append(
        f"Warm worker, {private}without growth: at most {each:,.0f} MB; {n} together {together:,.0f} MB ({sure})"
    )
    margin = round((plans.PEAK_MARGIN - 1) * 100)
    lines.append(
        f"Jobs: one with the highest peak of the week and {margin} %, {plan.highest_mb:,.0f} MB"
        + (f"; {n - 1} more below which 95 % stay, {plan.usual_mb:,.1f} MB each" if n > 1 else "")
    )
    need = plan.need_mb(n)
    lines.append(f"Needed without growth: {need:,.0f} MB")
    if plan.target_mb is not None:
        part = f", one of {service.sharers} equal parts" if service.sharers > 1 and not plan.per_process else ""
        lines.append(f"Left for growth: {plan.target_mb - need:,.0f} MB{part}")
    return (*lines, *_growth(plan, n))


def _jobs(plan: Plan) -> list[float]:
    return [each.life.jobs for each in plan.fits]


def _growth(plan: Plan, n: int) -> list[str]:
    if plan.state == plans.NOT_NEEDED:
        growth = max(plan.growths_mb(), default=0.0)
        said = f"at most {growth * 1024:,.2f} KB a job" if growth else "none that repeats from life to life"
        return [f"Growth: {said}"]
    one, all_ = upper(plan.growths_mb()) * 1024, upper_sum(plan.growths_mb(), n) * 1024
    lines = [f"Growth of a worker: at most {one:,.1f} KB a job; {n} together {all_:,.1f} KB ({CONFIDENCE:.0%})"]
    if plan.by_time:
        fastest = upper([max(0.0, each.per_hour.slope) for each in plan.fits])
        lines.append(
            f"It grows with time, at most {fastest:,.2f} MB an hour: counted for a worker with few jobs, "
            f"{plan.slow_rate:,.0f} an hour"
        )
    if plan.jobs:
        lines.append(f"Jobs until all {n} workers, equally old, reach the target: {plan.jobs:,}")
    if plan.capped:
        longest = max(_jobs(plan))
        lines.append(
            f"Cut to {plans.EXTRAPOLATION} times the longest life seen ({longest:,.0f} jobs); longer ones are unknown"
        )
    return lines
