"""Which span of OpenTelemetry a job ran in, as the program's own ``opentelemetry`` says. Off unless ``TRACES`` is set.

Asking it runs code of OpenTelemetry, and of what the program has set up there: so it is asked only in the thread of the
job, where the job begins, gets its name or ends, and never by the agent's thread. memwatch does not import it. No span
is kept: at the end of a job the current span is asked for again.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from memwatch.agent.config.values import ATTRIBUTES, OFF
from memwatch.records.traces import MOST, text

if TYPE_CHECKING:
    from memwatch.agent.work.job import Job

API = "opentelemetry.trace"
KEPT, PEAK = "memwatch.kept_bytes", "memwatch.peak_bytes"

Trace = tuple[int, int]
"""The ids of the trace and of the span."""


class Traces:
    """The spans of the jobs that run."""

    __slots__ = ("_running", "attributes")

    def __init__(self, *, attributes: bool = False) -> None:
        self.attributes = attributes
        """Whether spans get the figures of their jobs."""
        self._running: dict[int, Trace] = {}
        """By serial of the job."""

    def again(self) -> Traces:
        """For another process."""
        return Traces(attributes=self.attributes)

    def note(self, job: Job) -> None:
        """The job runs in the current span, if there is one: the innermost that it is seen in counts."""
        found = _ids(_span())
        if found is not None:
            self._running[job.serial] = found
            if job.meter.slots is not None:
                job.meter.slots.note_span(job, *found)
            job.read()  # a job with figures is counted one by one

    def of(self, job: Job) -> Trace | None:
        """The span that it was seen in."""
        return self._running.get(job.serial)

    def end(self, job: Job) -> Trace | None:
        """The span that it ran in; the job is no longer among those that run."""
        return self._running.pop(job.serial, None)

    def running(self) -> list[str]:
        """As texts, the latest first."""
        try:
            found = list(self._running.values())
        except RuntimeError:  # a job began in another thread
            return []
        return [text(*trace) for trace in found[: -MOST - 1 : -1]]

    def tell(self, job: Job, kept_kib: int | None, peak_kib: int | None) -> None:
        """Give the job's span its figures, if it is the current one and has not ended."""
        if not self.attributes:
            return
        span = _span()
        trace, known = _ids(span), self.of(job)
        if trace is None or known is None or trace[0] != known[0]:
            return
        if job.outer is not None and trace == self.of(job.outer):  # its own has ended: this is the outer job's
            return
        try:
            if span.is_recording():
                for name, kib in ((KEPT, kept_kib), (PEAK, peak_kib)):
                    if kib is not None:
                        span.set_attribute(name, kib * 1024)
        except Exception:  # noqa: BLE001 - code of the program's: the job goes on
            return


def traces_for(word: str) -> Traces | None:
    """By the word in the settings; ``None`` for ``off``."""
    return None if word == OFF else Traces(attributes=word == ATTRIBUTES)


def _span() -> Any:
    api = sys.modules.get(API)
    if api is None:
        return None
    try:
        return api.get_current_span()
    except Exception:  # noqa: BLE001 - as above
        return None


def _ids(span: Any) -> Trace | None:
    """``None`` outside of every span."""
    if span is None:
        return None
    try:
        context = span.get_span_context()
        trace, own = context.trace_id, context.span_id
    except Exception:  # noqa: BLE001 - as above
        return None
    if type(trace) is int and type(own) is int and 0 < trace < 2**128 and 0 < own < 2**64:
        return trace, own
    return None
