"""Measures jobs: blocks and resident memory before and after, the peak in between, the time.

Exact where one job runs at a time in the process. Where several overlap, no figure can say whose the memory is: they
are counted and marked as shared. What is read costs at most 1 % of the time of the jobs themselves: short jobs are
measured now and then, long ones each time.
"""

from __future__ import annotations

import itertools
import random
import sys
from time import perf_counter
from typing import TYPE_CHECKING

from memwatch.agent.work.credit import Credit
from memwatch.agent.work.job import Job, cleaned, depth, running
from memwatch.agent.work.made_in import Made, MadeIn
from memwatch.agent.work.own_memory import OwnMemory
from memwatch.agent.work.totals import Totals
from memwatch.records.work import COMMAND, UNNAMED

if TYPE_CHECKING:
    from memwatch.records.work import WorkFigures

SHARE = 0.01
"""Of the time of jobs, for measuring them."""
MEASURED = 0.3
"""Share of long jobs that are measured: the reading takes some 100 microseconds where the processor's caches have been
used for other things, and most jobs are to take less than 50 more."""
LATE_S = 0.005
"""A job that was not measured and took so long may have raised the peak: that alone is read, in some 20 microseconds."""
FIXED_S = 8e-6
"""What counting one job takes, without any reading; it comes out of the same share."""


class Meter:
    """One per process; made by :func:`begin_process`."""

    def __init__(self) -> None:
        self._chance = random.Random()  # noqa: S311 - the host's own sequence is left alone
        self.memory = OwnMemory()
        self.totals = Totals()
        self._light = Credit()
        """For resident memory and peaks."""
        self._heavy = Credit()
        """For allocated blocks: that walks pymalloc's pools, 5 microseconds in 10 MB, 110 in 240 MB."""
        self._running: set[int] = set()
        """Ids of the jobs that run, commands left out."""
        self._serials = itertools.count(1)
        self._last = 0
        self._rss: int | None = None
        """Resident memory when it was last read at the end of a job: :meth:`_read_late` counts from here."""
        self._top: int | None = None
        """The highest peak that was read since it was reset."""
        self._blurred = False
        """Jobs that overlapped have left their peak since then."""
        self._made_in: MadeIn | None = None
        """While a recording asks which job the objects of a type are made in."""
        self._looking = Credit()

    def begin(self, kind: str, name: object = None, mark: object = None, *, outermost: bool = False) -> Job:
        """A job begins in this context. ``outermost``: never within another of its kind."""
        outer = running.get()
        if outer is not None:
            if outermost:
                self._give_up(kind)
            outer = self._outer()
        job = Job(self, kind, "" if name is None else cleaned(name), mark, outer)
        try:
            self._start(job)
        except BaseException:  # a handler of the host's raised: who called does not know this job
            job.shared = True
            job.end()
            raise
        return job

    def _outer(self) -> Job | None:
        """The job that runs in this context."""
        job = running.get()
        while job is not None and (job.ended or job.meter is not self):
            job = job.outer
        return job

    def _give_up(self, kind: str) -> None:
        """End the jobs of this kind and context: their end was never noticed."""
        job = self._outer()
        while job is not None and job.kind == kind:
            job.shared = True
            job.end()
            job = self._outer()

    def _start(self, job: Job) -> None:
        if job.kind != COMMAND:  # one that runs a server or a worker overlaps with everything that this one does
            if self._running:
                job.shared = len(self._running) > depth(job.outer)
            self._running.add(id(job))
        job.serial = self._last = next(self._serials)
        running.set(job)
        if not job.shared:
            self._read_before(job)
        job.began = perf_counter()

    def _read_before(self, job: Job) -> None:
        drawn = self._chance.random()
        if self._rss is None or (drawn < MEASURED and self._light.pays(drawn)):
            memory, began, outer = self.memory, perf_counter(), job.outer
            if outer is not None and outer.rss is not None:
                outer.peak = max(outer.peak or 0, memory.peak_kib() or 0)
            job.rss = memory.rss_kib()
            if memory.reset_peak():
                job.peak, self._blurred = 0, False
            job.spent = perf_counter() - began
            if self._heavy.pays(drawn):
                job.blocks = sys.getallocatedblocks()
        if self._made_in is not None and self._looking.pays(drawn):
            job.young = self._made_in.ids()

    def count(self, job: Job) -> None:
        ended = perf_counter()
        self._running.discard(id(job))
        job.leave()
        if _meter is not self:
            return
        seconds = max(0.0, ended - job.began)
        outer = job.outer
        if outer is not None:
            outer.within += 1 + job.within
        if self._last != job.serial + job.within:
            job.shared = True  # others began after it
        blocks = rss = peak = top = late = None
        if job.shared:
            self._blurred = True
        else:
            if job.blocks is not None:
                blocks = sys.getallocatedblocks() - job.blocks
                self._heavy.spend(2 * (perf_counter() - ended))
            if job.rss is not None:
                rss, peak, top = self._read_after(job)
            elif outer is None and seconds >= LATE_S:
                late, top = self._read_late()
            if job.young is not None:
                self._look_what_was_made(job)
        share = (seconds * SHARE - FIXED_S) / 2
        self._light.earn(share)
        self._heavy.earn(share)
        if self._made_in is not None:
            self._looking.earn(seconds * SHARE)
        if outer is not None:
            self._tell_outer(job, outer, blocks, rss, top)
            job.outer = None
        self.totals.add(
            (
                job.kind, job.name or UNNAMED, seconds, job.error, job.shared,
                None if blocks is None else blocks - job.inner_blocks,
                None if rss is None else rss - job.inner_kib,
                peak, late, top,
            )
        )  # fmt: skip

    def _read_after(self, job: Job) -> tuple[int | None, int | None, int | None]:
        """Change of resident memory, rise to the peak, and the peak itself."""
        began = perf_counter()
        after = self._rss = self.memory.rss_kib()
        before = job.rss
        if after is None or before is None:
            return None, None, None
        peak = top = None
        if job.peak is not None:
            top = self.memory.peak_kib()
            if top is not None:
                top = self._top = max(top, job.peak, after)
                peak = max(0, top - before)
        self._light.spend(job.spent + perf_counter() - began)
        return after - before, peak, top

    def _read_late(self) -> tuple[int | None, int | None]:
        """Rise and peak of a long job that was not measured when it began, where it has raised the peak of before.

        What it rose above was read at the end of an earlier job. The jobs in between were too short to take much, or
        have raised the peak themselves.
        """
        top, before, known, blurred = self.memory.peak_kib(), self._rss, self._top, self._blurred
        if top is None or known is None or before is None or top <= known or not self.memory.resets:
            return None, None
        self._top, self._blurred = top, False
        return (None, None) if blurred else (max(0, top - before), top)

    def _look_what_was_made(self, job: Job) -> None:
        made_in = self._made_in
        if made_in is not None and job.young is not None:
            began = perf_counter()
            made_in.ended(job.kind, job.name or UNNAMED, job.young)
            self._looking.spend(2 * (perf_counter() - began))

    def look_for(self, type_name: str) -> None:
        """From now on note in which job objects of the type are made, until :meth:`made`. At most 1 % of their time."""
        self._made_in = MadeIn(type_name)

    def made(self) -> list[Made]:
        """What :meth:`look_for` has found, most first. It looks no more."""
        found, self._made_in = self._made_in, None
        return [] if found is None else found.found()

    def _tell_outer(self, job: Job, outer: Job, blocks: int | None, rss: int | None, top: int | None) -> None:
        """What the inner job kept is its own; what it took at its peak, the outer one took as well."""
        outer.shared = outer.shared or job.shared
        outer.inner_blocks += blocks or 0
        outer.inner_kib += rss or 0
        if outer.peak is not None and top is not None:
            outer.peak = max(outer.peak, top)

    def take(self) -> tuple[WorkFigures, ...] | None:
        """What has ended since the last call. For the agent's thread."""
        self.memory.check()
        return self.totals.take()


_meter: Meter | None = None


def begin_process() -> None:
    """Measure the jobs of this process from now on; of a forked child, its own."""
    global _meter
    before, _meter = _meter, Meter()
    if before is not None:
        before.memory.close()


def end_process() -> None:
    """Measure no more."""
    global _meter
    before, _meter = _meter, None
    if before is not None:
        before.memory.close()


def meter() -> Meter | None:
    """This process's meter; ``None`` where jobs are not measured."""
    return _meter


def begin(kind: str, name: object = None, mark: object = None, *, outermost: bool = False) -> Job | None:
    """:meth:`Meter.begin`; ``None`` where jobs are not measured."""
    return None if _meter is None else _meter.begin(kind, name, mark, outermost=outermost)


def current(kind: str, mark: object) -> Job | None:
    """The running job of this context that the caller knows by ``mark``."""
    job = running.get()
    while job is not None and not (job.kind == kind and _is_same(job.mark, mark)):
        job = job.outer
    return job


def _is_same(one: object, other: object) -> bool:
    """Without asking an object of the host."""
    return one is other or (type(one) is type(other) is str and one == other)


def take() -> tuple[WorkFigures, ...] | None:
    """What has ended since the last call; ``None`` where nothing has."""
    return None if _meter is None else _meter.take()


def look_for(type_name: str) -> None:
    """:meth:`Meter.look_for`; nothing where jobs are not measured."""
    if _meter is not None:
        _meter.look_for(type_name)


def made() -> list[Made]:
    """:meth:`Meter.made`; empty where jobs are not measured."""
    return [] if _meter is None else _meter.made()


def waiting() -> bool:
    """Whether a job has ended since the last :func:`take`."""
    return _meter is not None and _meter.totals.waiting
