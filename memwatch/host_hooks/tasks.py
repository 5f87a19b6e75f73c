"""Tasks of RQ, Dramatiq, Huey and APScheduler, each measured as one job."""

from __future__ import annotations

from memwatch.agent import lifecycle, work_counters
from memwatch.agent.work import meter
from memwatch.agent.work.job import Job, running
from memwatch.records.work import TASK


def begin(name: object, *, limit_s: float = 0.0) -> Job | None:
    """A task begins; ``None`` where jobs are not measured."""
    lifecycle.ensure()
    work_counters.count_task()
    return meter.begin(TASK, name, limit_s=limit_s)


def failed() -> None:
    """The task of this context has raised, and who runs it has caught that."""
    job = running.get()
    while job is not None and job.kind != TASK:
        job = job.outer
    if job is not None:
        job.error = True


def end(job: Job, raised: BaseException | None = None) -> None:
    """The task ends."""
    if raised is not None:
        job.error = True
        job.cut_off = issubclass(type(raised), SystemExit | KeyboardInterrupt)
    job.end()
