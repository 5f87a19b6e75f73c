"""What the spans of the running jobs are, and what they get of their jobs' figures."""

from __future__ import annotations

from memwatch.agent.work import meter
from memwatch.agent.work.job import Job, running


def running_now() -> list[str]:
    """The spans of the jobs that run, as texts; empty where jobs are not linked with traces."""
    own = meter.meter()
    return [] if own is None or own.traces is None else own.traces.running()


def wanted() -> bool:
    """Whether spans get the figures of their jobs."""
    own = meter.meter()
    return own is not None and own.traces is not None and own.traces.attributes


def note(kind: str, name: str = "") -> None:
    """The function of the job of this kind begins: a span that is there now is the job's.

    With a ``name`` only for the job of that name.
    """
    own, job = meter.meter(), _job(kind)
    if own is not None and own.traces is not None and job is not None and (not name or job.name == name):
        own.traces.note(job)


def tell(kind: str) -> None:
    """The span of the job of this kind ends before the job does: it gets the figures so far, if they are measured."""
    own, job = meter.meter(), _job(kind)
    if own is None or own.traces is None or job is None or job.shared:
        return
    read = job.readings
    if read is not None and own.traces.attributes:
        own.traces.tell(job, *own.peaks.so_far(read))


def _job(kind: str) -> Job | None:
    """The innermost of this kind that runs in this context."""
    job = running.get()
    while job is not None and job.kind != kind:
        job = job.outer
    return None if job is None or job.ended or job.meter is not meter.meter() else job
