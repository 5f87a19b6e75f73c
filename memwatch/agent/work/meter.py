"""Measures jobs: blocks and resident memory before and after, the peak in between, the time.

Exact where one job runs at a time in the process. Where several overlap, no figure can say whose the memory is: they
are counted and marked as shared. What is read costs at most 1 % of the time of the jobs themselves: short jobs are
measured now and then, long ones each time.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from memwatch.agent.flight.slots import NO_SLOT, JobSlots
from memwatch.agent.work.clock import Clock
from memwatch.agent.work.credit import FIXED_S, MEASURED, SELDOM, SHARE, Credit, jobs_to_skip
from memwatch.agent.work.job import LATE_S, Job, cleaned, depth, running
from memwatch.agent.work.made_in import Made, Search
from memwatch.agent.work.own_memory import OwnMemory
from memwatch.agent.work.peaks import Peaks
from memwatch.agent.work.totals import Totals
from memwatch.agent.work.traces import Traces, traces_for
from memwatch.records.work import COMMAND

if TYPE_CHECKING:
    from memwatch.records.work import WorkFigures


class Meter:
    """One per process; made by :func:`begin_process`."""

    __slots__ = (
        "_chance", "_heavy", "_light", "_paid", "ended", "is_over", "last", "memory", "now", "peaks", "running",
        "search", "serials", "skipped", "slots", "totals", "traces", "worked",
    )  # fmt: skip

    def __init__(self, slots: JobSlots | None = None, traces: Traces | None = None) -> None:
        self._chance = random.Random()  # noqa: S311 - the host's own sequence is left alone
        self.memory = OwnMemory()
        self.peaks = Peaks(self.memory)
        self.totals = Totals()
        self.ended = self.totals.ended
        self._light = Credit()
        """For resident memory and peaks."""
        self._heavy = Credit()
        """For allocated blocks: that walks pymalloc's pools, 5 microseconds in 10 MB, 110 in 240 MB."""
        self.worked = 0.0
        """Seconds of the jobs that have ended since one was last chosen by chance."""
        self._paid = 0
        """Serial of that one."""
        self.skipped = 0
        """Jobs to come that are not chosen."""
        self.running: set[int] = set()
        """Serials of the jobs that run, the main one left out."""
        self.serials: Iterator[int] = itertools.count(1)
        self.last = 0
        """Serial of the youngest job."""
        self.search: Search | None = None
        """While a recording asks which job the objects of a type are made in."""
        self.slots = slots
        self.traces = traces
        """Where jobs are linked with the program's traces."""
        self.now = Clock.now
        self.is_over = False
        """Whether jobs are measured by another meter from now on, or by none."""

    def outer(self, kind: str, *, outermost: bool) -> Job | None:
        """The job that one of this kind begins in; ``outermost``: those of its kind that still run are ended first."""
        job = self._outer()
        while outermost and job is not None and job.kind == kind:
            job.shared = True
            job.end()
            job = self._outer()
        return job

    def _outer(self) -> Job | None:
        """The job that runs in this context."""
        job = running.get()
        while job is not None and (job.ended or job.meter is not self):
            job = job.outer
        return job

    def read_before(self, job: Job) -> None:
        """Memory, where the job that begins is to be measured."""
        drawn, outer, search = self._chance.random(), job.outer, self.search
        is_chosen = (outer is None and search is None) or drawn < MEASURED
        if is_chosen:
            self._earn(job.serial)
            is_chosen = self._light.pays(drawn)
            if outer is None:
                self.skipped = jobs_to_skip(self._chance, MEASURED if is_chosen else SELDOM)
        around = None if outer is None else outer.readings
        if around is not None and around.rss is None:
            around = None
        # Whose memory it was can be said of both or of neither.
        if around is not None or self.peaks.rss is None or is_chosen:
            began = Clock.now()
            self.peaks.read_before(job)
            read = job.read()
            read.spent = Clock.now() - began
            if (around is not None and around.blocks is not None) or self._heavy.pays(drawn):
                read.blocks = sys.getallocatedblocks()
        if search is not None:
            self.skipped = 0
            search.job_begins(job, drawn)
        job.began = Clock.now()

    def _earn(self, serial: int) -> None:
        """Time for readings, by the jobs before this one: counting them and adding them up comes out of it."""
        worked, self.worked = self.worked, 0.0
        spent, self.totals.spent = self.totals.spent, 0.0
        jobs, self._paid = serial - self._paid, serial
        earned = worked * SHARE - jobs * FIXED_S - spent
        self._light.earn(earned / 2)
        self._heavy.earn(earned / 2)

    def read_after(self, job: Job, seconds: float) -> None:
        """Count one that was measured, or may have been, or that ran beside others."""
        outer, search, read = job.outer, self.search, job.read()
        if outer is not None:
            outer.within += 1 + job.within
            job.shared = job.shared or outer.ended  # it goes on without the one that it began in
        blocks = rss = peak = top = late = None
        if job.shared:
            self.peaks.blurred = True
        else:
            if read.blocks is not None:
                before = Clock.now()
                blocks = sys.getallocatedblocks() - read.blocks
                self._heavy.spend(2 * (Clock.now() - before))
            if read.rss is not None:
                before = Clock.now()
                rss, peak, top = self.peaks.read_after(read)
                self._light.spend(read.spent + Clock.now() - before)
            elif outer is None and not read.dimmed and seconds >= LATE_S:
                late, top = self.peaks.read_late()
            if search is not None:
                search.job_ends(job)
        trace = None
        if self.traces is not None:
            self.traces.tell(job, rss, peak)
            trace = self.traces.end(job)
        job.readings = None  # a context that was copied may hold the job for long
        if search is not None:
            search.earn(seconds * SHARE)
        if outer is not None:
            outer.shared = outer.shared or job.shared
            outer.read().add_inner(blocks, rss, top)
            job.outer = None
        own_blocks, own_kib = read.own_blocks(blocks), read.own_kib(rss)
        self.ended.append(
            (job.kind, job.name, seconds, job.error, job.shared, own_blocks, own_kib, peak, late, top, trace)
        )

    def drop(self, job: Job) -> None:
        """It has ended, and counting it was broken off: it runs no longer."""
        self.running.discard(job.serial)
        if self.traces is not None:
            self.traces.end(job)
        if self.slots is not None:
            self.slots.drop(job)

    def close(self) -> None:
        """Jobs that still run are not counted."""
        self.is_over = True
        self.memory.close()

    def take(self) -> tuple[WorkFigures, ...] | None:
        """What has ended since the last call. For the agent's thread."""
        self.memory.check()
        return self.totals.take()


_meter: Meter | None = None


def begin_process(*, recorded: bool | None = None, traces: str | None = None) -> None:
    """Measure the jobs of this process from now on; of a forked child, its own.

    ``recorded``: whether the flight record is to name them; ``traces``: how they are linked with the program's traces,
    a word of :data:`memwatch.agent.config.values.TRACES`; ``None``: as before.
    """
    global _meter
    if recorded is None:
        recorded = _meter is not None and _meter.slots is not None
    known = None if _meter is None else _meter.traces
    linked = traces_for(traces) if traces is not None else None if known is None else known.again()
    before, _meter = _meter, Meter(JobSlots(spans=linked is not None) if recorded else None, linked)
    if before is not None:
        before.close()


def end_process() -> None:
    """Measure no more."""
    global _meter
    before, _meter = _meter, None
    if before is not None:
        before.close()


def meter() -> Meter | None:
    """This process's meter; ``None`` where jobs are not measured."""
    return _meter


def slots() -> JobSlots | None:
    """Where the running jobs stand in the flight record."""
    return None if _meter is None else _meter.slots


def begin(
    kind: str, name: object = "", mark: object = None, *, outermost: bool = False, limit_s: float = 0.0
) -> Job | None:
    """A job begins in this context; ``None`` where jobs are not measured. ``outermost``: never within another of its
    kind.

    All of it in one function: with the processor's caches cold each further one takes some microseconds.
    """
    own = _meter
    if own is None:
        return None
    outer = running.get()
    if outer is not None:
        outer = own.outer(kind, outermost=outermost)
    slots, known = own.slots, None
    if slots is not None and type(name) is str:
        known = slots.known.get(name)
    job = Job()
    job.meter, job.kind, job.mark, job.outer, job.limit_s = own, kind, mark, outer, limit_s
    job.name = cleaned(name) if known is None else known[0]
    job.error = job.shared = job.cut_off = False
    job.readings = job.noted = None
    job.serial = job.within = 0
    job.slot = NO_SLOT
    job.began = own.now()
    job.ended = False
    try:
        job.serial = serial = own.last = next(own.serials)
        if serial > 1 or kind != COMMAND:  # a process's first command may run a server or a worker
            jobs = own.running
            jobs.add(serial)
            if len(jobs) > 1:
                job.shared = len(jobs) > 1 + depth(outer)
        running.set(job)
        if own.skipped > 0 and outer is None:
            own.skipped -= 1
        elif not job.shared:
            own.read_before(job)
        if slots is not None:
            slots.begin(job, known)
        if own.traces is not None:
            own.traces.note(job)
    except BaseException:  # a handler of the host's raised: who called does not know this job
        job.shared = True
        job.end()
        raise
    return job


def name(kind: str, name: str) -> None:
    """The name of the job of this kind that runs in this context is known before its end."""
    job = running.get()
    if job is not None and job.kind == kind and not job.ended and job.meter is _meter:
        job.name = name
        if _meter is not None and _meter.slots is not None:
            _meter.slots.name(job)
        if _meter is not None and _meter.traces is not None:
            _meter.traces.note(job)


def take() -> tuple[WorkFigures, ...] | None:
    """What has ended since the last call; ``None`` where nothing has."""
    return None if _meter is None else _meter.take()


def measures() -> bool:
    """Whether jobs of this process are measured."""
    return _meter is not None


def look_for(type_name: str) -> None:
    """From now on note in which job objects of the type are made, until :func:`made`. At most 1 % of their time."""
    if _meter is not None:
        _meter.search, _meter.skipped = Search(type_name), 0


def made() -> list[Made]:
    """What :func:`look_for` has found, most first; empty where jobs are not measured. It looks no more."""
    if _meter is None or _meter.search is None:
        return []
    found, _meter.search = _meter.search.found(), None
    return found


def waiting() -> bool:
    """Whether a job has ended since the last :func:`take`."""
    return _meter is not None and _meter.totals.waiting
