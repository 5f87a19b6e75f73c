"""Resident memory and its peak around a job, where jobs run within one another and the peak can be reset."""

from __future__ import annotations

from memwatch.agent.work.job import Job
from memwatch.agent.work.own_memory import OwnMemory
from memwatch.agent.work.readings import Readings
from memwatch.records.work import TASK

SLACK_KIB = 1024
"""A peak that is no more than this above what is resident is none."""


class Peaks:
    """What was read last, and whether the peak is of one job alone."""

    def __init__(self, memory: OwnMemory) -> None:
        self._memory = memory
        self.rss: int | None = None
        """Resident memory when it was last read at the end of a job: :meth:`read_late` counts from here."""
        self._top: int | None = None
        """The highest peak that was read since it was reset."""
        self.blurred = True
        """The peak was not reset since then, or jobs that overlapped have left theirs."""

    def read_before(self, job: Job) -> None:
        """A job begins that is measured."""
        read = job.read()
        read.rss = self._memory.rss_kib()
        if self._may_reset(job, read.rss) and self._memory.reset_peak():
            read.peak, self.blurred = 0, False

    def _may_reset(self, job: Job, rss: int | None) -> bool:
        """Let the jobs around it keep the peak so far, unless that of a task would be lost to the host.

        Celery looks at ``ru_maxrss`` after each task, for ``max_memory_per_child``.
        """
        outer = job.outer
        if outer is None or not self._memory.resets:
            return True
        top, in_task = self._memory.peak_kib(), False
        while outer is not None:
            in_task = in_task or outer.kind == TASK
            read = outer.readings
            if read is not None and read.peak is not None and top is not None:
                read.peak = max(read.peak, top)
            outer = outer.outer
        if in_task and top is not None and rss is not None and top > rss + SLACK_KIB:
            return False
        outer = job.outer
        while outer is not None:
            outer.read().dimmed, outer = True, outer.outer
        return True

    def read_after(self, read: Readings) -> tuple[int | None, int | None, int | None]:
        """Change of resident memory, rise to the peak, and the peak itself."""
        after = self.rss = self._memory.rss_kib()
        before = read.rss
        if after is None or before is None:
            return None, None, None
        peak = top = None
        if read.peak is not None:
            top = self._memory.peak_kib()
            if top is not None:
                top = self._top = max(top, read.peak, after)
                peak = max(0, top - before)
        return after - before, peak, top

    def so_far(self, read: Readings) -> tuple[int | None, int | None]:
        """Change of resident memory, and rise to the peak, of a job that goes on."""
        now, before = (None if read.rss is None else self._memory.rss_kib()), read.rss
        if now is None or before is None:
            return None, None
        top = None if read.peak is None else self._memory.peak_kib()
        return now - before, None if top is None else max(0, max(top, read.peak or 0, now) - before)

    def read_late(self) -> tuple[int | None, int | None]:
        """Rise and peak of a long job that was not measured when it began, where it has raised the peak of before.

        What it rose above was read at the end of an earlier job. The jobs in between were too short to take much, or
        have raised the peak themselves.
        """
        top, before, known, blurred = self._memory.peak_kib(), self.rss, self._top, self.blurred
        if top is None or known is None or before is None or top <= known or not self._memory.resets:
            return None, None
        self._top, self.blurred = top, False
        return (None, None) if blurred else (max(0, top - before), top)
