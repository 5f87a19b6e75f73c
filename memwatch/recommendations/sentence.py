"""The result for a service in one sentence."""

from __future__ import annotations

from memwatch.recommendations import plan as plans
from memwatch.recommendations.advice import NO_RECYCLING, REQUESTS, TASKS, Advice, Setting
from memwatch.recommendations.spread import CONFIDENCE


def jobs_row(advice: Advice) -> Setting | None:
    """The setting that replaces a worker after a number of jobs; ``None`` where its server has none."""
    return advice.setting(REQUESTS) or advice.setting(TASKS)


def sentence(advice: Advice) -> str:
    """What to do, or what is missing."""
    plan = advice.plan
    if advice.state == plans.UNKNOWN:
        return f"Not known yet. Missing: {plan.missing}."
    if advice.state == plans.NOT_NEEDED:
        return f"{NO_RECYCLING[0].upper()}{NO_RECYCLING[1:]}."
    if advice.state == plans.IMPOSSIBLE:
        return "The workers do not fit below the target, and recycling does not mend that."
    row = jobs_row(advice)
    if row is None:
        return "Memory grows, and its server has no setting that replaces a worker after a number of jobs."
    if row.recommended is None or plan.target_mb is None:
        return "Memory grows, and no worker counts its jobs: replace workers by their age or their memory."
    who, them = ("the worker", "it stays") if plan.workers == 1 else ("each worker", f"{plan.workers} workers stay")
    return (
        f"Replace {who} after {row.recommended:,} jobs: {them} below {plan.target_mb:,.0f} MB "
        f"with a confidence of {CONFIDENCE * 100:.0f} %."
    )
