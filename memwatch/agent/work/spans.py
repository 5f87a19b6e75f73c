"""What the spans of the running jobs are, and what they get of their jobs' figures."""

from __future__ import annotations

from memwatch.agent.work import meter
from memwatch.agent.work.job import running


def running_now() -> list[str]:
    """The spans of the jobs that run, as texts; empty where jobs are not linked with traces."""
    own = meter.meter()
    return [] if own is None or own.traces is None else own.traces.running()


def wanted() -> bool:
    """Whether spans get the figures of their jobs."""
    own = meter.meter()
    return own is not None and own.traces is not None and own.traces.attributes


def tell(kind: str) -> None:
    """The span of the job of this kind ends before the job does: it gets the figures so far, if they are measured."""
    own, job = meter.meter(), running.get()
    while job is not None and job.kind != kind:
        job = job.outer
    if own is None or own.traces is None or job is None or job.ended or job.shared or job.meter is not own:
        return
    read = job.readings
    if read is not None and own.traces.attributes:
        own.traces.tell(job, *own.peaks.so_far(read))
