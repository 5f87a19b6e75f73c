"""Measures jobs: blocks and resident memory before and after, the peak in between, the time.

Exact where one job runs at a time in the process. Where several overlap, no figure can say whose the memory is: they
are counted and marked as shared. What is read costs at most 1 % of the time of the jobs themselves: short jobs are
measured now and then, long ones each time.
"""

from __future__ import annotations

import random
import sys
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING
from weakref import ref

from memwatch.agent.work.made_in import Made, MadeIn
from memwatch.agent.work.own_memory import OwnMemory
from memwatch.agent.work.totals import Ended, Totals
from memwatch.records.work import COMMAND, MAX_NAME, UNNAMED
from memwatch.sampling.type_names import clean

if TYPE_CHECKING:
    from memwatch.records.work import WorkFigures

SHARE = 0.01
"""Of the time of jobs, for measuring them."""
FIXED_S = 6e-6
"""What counting one job takes, without any reading; it comes out of the same share."""
_MOST_CREDIT_S = 0.002
_FIRST_COST_S = 50e-6
"""A reading is taken to cost this much until it was timed."""

_current: ContextVar[Job | None] = ContextVar("memwatch_job", default=None)


class Job:
    """One running request, task or command."""

    __slots__ = (
        "__weakref__", "_began", "_blocks", "_inner_blocks", "_inner_kib", "_meter", "_outer", "_peak", "_rss",
        "_young", "ended", "error", "kind", "mark", "name", "shared",
    )  # fmt: skip

    def __init__(self, meter: Meter, kind: str, name: str, mark: object, outer: Job | None) -> None:
        self.kind = kind
        self.name = name
        self.mark = mark
        """What the caller knows it by."""
        self.error = False
        self.shared = False
        self.ended = False
        self._meter = meter
        self._outer = outer
        self._blocks: int | None = None
        self._rss: int | None = None
        self._peak: int | None = None
        self._young: frozenset[int] | None = None
        self._inner_blocks = 0
        self._inner_kib = 0
        self._began = 0.0

    def end(self) -> None:
        """Count it. Nothing happens the second time, or in a child that was forked within the job."""
        if not self.ended:
            self.ended = True
            self._meter._end(self)

    def leave(self) -> None:
        """What runs from now on in this context belongs neither to the job nor to those within it."""
        inner = _current.get()
        while inner is not None and inner is not self:
            inner = inner._outer
        if inner is self:
            _current.set(self._outer)

    def __del__(self) -> None:
        """Its context is gone, or its response was never closed."""
        if not self.ended:
            self.shared = True
            self.end()


class _Credit:
    """Time for one kind of reading, earned by the jobs and spent by it."""

    __slots__ = ("_chance", "_cost", "_left")

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._left = _MOST_CREDIT_S
        self._cost = _FIRST_COST_S

    def earn(self, seconds: float) -> None:
        if seconds > 0:
            self._left = min(_MOST_CREDIT_S, self._left + seconds)
        else:  # jobs too short for any reading make no debt that later ones would have to pay
            self._left = max(min(self._left, 0.0), self._left + seconds)

    def pays(self) -> bool:
        """Whether the job that begins is measured: by chance in part, so that no pattern of jobs is always missed."""
        return self._left >= self._cost * (1 + self._chance.random())

    def is_small(self, seconds: float) -> bool:
        """Whether a reading takes no more than this."""
        return self._cost <= seconds

    def spend(self, seconds: float) -> None:
        """``seconds``: what the readings before and after a job took together.

        A reading during which the system ran something else took no longer than others: one by itself counts little.
        """
        self._cost += (min(seconds, 2 * self._cost) - self._cost) / 8
        self._left -= self._cost


class Meter:
    """One per process; made by :func:`begin_process`."""

    def __init__(self) -> None:
        chance = random.Random()  # noqa: S311 - the host's own sequence is left alone
        self.memory = OwnMemory()
        self.totals = Totals()
        self._light = _Credit(chance)
        """For resident memory and peaks."""
        self._heavy = _Credit(chance)
        """For allocated blocks: that walks pymalloc's pools, 5 microseconds in 10 MB, 110 in 240 MB."""
        self._running: dict[int, ref[Job]] = {}
        self._rss: int | None = None
        """Resident memory when it was last read at the end of a job: :meth:`_read_late` counts from here."""
        self._blurred = False
        """Jobs that overlapped have left their peak since then."""
        self._made_in: MadeIn | None = None
        """While a recording asks which job the objects of a type are made in."""
        self._looking = _Credit(chance)

    def begin(self, kind: str, name: str = "", mark: object = None) -> Job:
        """A job begins in this context."""
        outer = _current.get()
        if outer is not None and (outer.ended or outer._meter is not self):
            outer = None
        job = Job(self, kind, cleaned(name), mark, outer)
        if kind != COMMAND:  # one that runs a server or a worker overlaps with everything that this one does
            self._meet_others(job)
        self._running[id(job)] = ref(job)
        _current.set(job)
        if not job.shared:
            self._read_before(job)
        job._began = perf_counter()
        return job

    def _meet_others(self, job: Job) -> None:
        if not self._running:
            return
        around = set()
        outer = job._outer
        while outer is not None:
            around.add(id(outer))
            outer = outer._outer
        for key, known in list(self._running.items()):
            other = known()
            if other is None or other.ended:
                self._running.pop(key, None)
            elif key not in around:
                other.shared = True
                job.shared = job.shared or other.kind != COMMAND

    def _read_before(self, job: Job) -> None:
        memory = self.memory
        if self._light.pays():
            outer = job._outer
            if outer is not None and outer._rss is not None:
                outer._peak = max(outer._peak or 0, memory.peak_kib() or 0)
            job._rss = memory.rss_kib()
            if memory.reset_peak():
                job._peak, self._blurred = 0, False
        if self._made_in is not None and self._looking.pays():
            job._young = self._made_in.ids()
        if self._heavy.pays():
            job._blocks = sys.getallocatedblocks()

    def _end(self, job: Job) -> None:
        ended = perf_counter()
        self._running.pop(id(job), None)
        job.leave()
        if _meter is not self:
            return
        seconds = max(0.0, ended - job._began)
        blocks = rss = peak = top = None
        if not job.shared:
            if job._blocks is not None:
                blocks = sys.getallocatedblocks() - job._blocks
                self._heavy.spend(2 * (perf_counter() - ended))
            if job._rss is not None:
                rss, peak, top = self._read_after(job)
            elif job._outer is None and self._light.is_small(seconds * SHARE / 2):
                peak, top = self._read_late()
            self._look_what_was_made(job)
        else:
            self._blurred = True
        self._tell_outer(job, blocks, rss, top)
        share = (seconds * SHARE - FIXED_S) / 2
        self._light.earn(share)
        self._heavy.earn(share)
        self._looking.earn(seconds * SHARE)
        own_blocks = None if blocks is None else blocks - job._inner_blocks
        own_rss = None if rss is None else rss - job._inner_kib
        job._outer = None
        name = job.name or UNNAMED
        self.totals.add(Ended(job.kind, name, seconds, job.error, job.shared, own_blocks, own_rss, peak, top))

    def _read_after(self, job: Job) -> tuple[int | None, int | None, int | None]:
        """Change of resident memory, rise to the peak, and the peak itself."""
        began = perf_counter()
        after = self._rss = self.memory.rss_kib()
        before = job._rss
        if after is None or before is None:
            return None, None, None
        peak = top = None
        if job._peak is not None:
            top = self.memory.peak_kib()
            if top is not None:
                top = max(top, job._peak, after)
                peak = max(0, top - before)
        self._light.spend(2 * (perf_counter() - began))
        return after - before, peak, top

    def _read_late(self) -> tuple[int | None, int | None]:
        """Rise and peak of a long job that was not measured when it began, since short ones had used up the credit.

        What it rose above was read at the end of an earlier job. The jobs in between were too short to take much.
        """
        began, before, blurred = perf_counter(), self._rss, self._blurred
        top = self.memory.peak_kib()
        self._rss = self.memory.rss_kib()
        self._blurred = not self.memory.reset_peak()
        self._light.spend(perf_counter() - began)
        return (None, None) if top is None or before is None or blurred else (max(0, top - before), top)

    def _look_what_was_made(self, job: Job) -> None:
        made_in = self._made_in
        if made_in is not None and job._young is not None:
            began = perf_counter()
            made_in.ended(job.kind, job.name or UNNAMED, job._young)
            self._looking.spend(2 * (perf_counter() - began))

    def look_for(self, type_name: str) -> None:
        """From now on note in which job objects of the type are made, until :meth:`made`. At most 1 % of their time."""
        self._made_in = MadeIn(type_name)

    def made(self) -> list[Made]:
        """What :meth:`look_for` has found, most first. It looks no more."""
        found, self._made_in = self._made_in, None
        return [] if found is None else found.found()

    def _tell_outer(self, job: Job, blocks: int | None, rss: int | None, top: int | None) -> None:
        """What the inner job kept is its own; what it took at its peak, the outer one took as well."""
        outer = job._outer
        if outer is None or outer.ended:
            return
        outer._inner_blocks += blocks or 0
        outer._inner_kib += rss or 0
        if outer._peak is not None and top is not None:
            outer._peak = max(outer._peak, top)

    def take(self) -> tuple[WorkFigures, ...] | None:
        """What has ended since the last call. For the agent's thread."""
        self.memory.check()
        return self.totals.take()


def cleaned(name: object) -> str:
    """A name as it may be reported: a plain text of bounded length, whatever the host calls its jobs."""
    if not isinstance(name, str):
        return ""
    return clean(str.__str__(name)[: MAX_NAME + 1])


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


def begin(kind: str, name: str = "", mark: object = None) -> Job | None:
    """A job begins in this context; ``None`` where jobs are not measured."""
    return None if _meter is None else _meter.begin(kind, name, mark)


def current(kind: str, mark: object) -> Job | None:
    """The running job of this context that the caller knows by ``mark``."""
    job = _current.get()
    while job is not None and (job.kind, job.mark) != (kind, mark):
        job = job._outer
    return job


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
