"""One running request, task or command, and the one that runs in this context."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from memwatch.agent.work.clock import Clock
from memwatch.agent.work.readings import Readings
from memwatch.records.work import COMMAND, MAX_NAME
from memwatch.sampling.type_names import clean


class Counts(Protocol):
    """What a job ends in."""

    running: set[int]
    """Ids of the jobs that run."""

    def count(self, job: Job) -> None:
        """It has ended."""

    def drop(self, job: Job) -> None:
        """It has ended, and counting it was broken off: it runs no longer."""


running: ContextVar[Job | None] = ContextVar("memwatch_job", default=None)


class Job:
    """One running request, task or command."""

    __slots__ = (
        "began",
        "cut_off",
        "ended",
        "error",
        "kind",
        "limit_s",
        "mark",
        "meter",
        "name",
        "noted",
        "outer",
        "readings",
        "serial",
        "shared",
        "slot",
        "within",
    )  # fmt: skip

    noted: str | None
    """Under which name it stands in the flight record."""

    def __init__(self, meter: Counts, kind: str, name: str, mark: object, outer: Job | None) -> None:
        """Each further value here costs every job some memory that the processor has not at hand."""
        self.kind = kind
        self.name = name
        self.mark = mark
        """What the caller knows it by."""
        self.meter = meter
        self.outer = outer
        self.error = self.shared = self.cut_off = False
        """``cut_off``: whether what ends it ends the process."""
        self.readings: Readings | None = None
        self.noted = None
        self.serial = self.within = 0
        """Which job of the process it is, and how many of those after it ran within it."""
        self.limit_s = 0.0
        """After so long it is killed; 0: it has no limit, or none is known."""
        self.slot = -1
        """Where it stands in the flight record."""
        self.began = Clock.now()
        self.ended = False  # the last: one that is not whole has nothing to end

    @property
    def is_main(self) -> bool:
        """Whether it is the command that the process was started for: all others run within it."""
        return self.serial == 1 and self.kind == COMMAND

    def read(self) -> Readings:
        """Its figures, made with the first of them."""
        found = self.readings
        if found is None:
            found = self.readings = Readings()
        return found

    def end(self) -> None:
        """Count it. Nothing happens the second time, or in a child that was forked within the job."""
        if not self.ended:
            try:
                self.ended = True
                self.meter.count(self)
            except BaseException:  # whatever a signal's handler raises
                self.meter.drop(self)
                raise

    def leave(self) -> None:
        """What runs from now on in this context belongs neither to the job nor to those within it."""
        inner = running.get()
        while inner is not None and inner is not self:
            inner = inner.outer
        if inner is self:
            running.set(self.outer)

    def __del__(self) -> None:
        """Its context is gone, its response was never closed, or a signal's handler raised while it began."""
        try:
            if self.ended:
                return
        except AttributeError:
            return
        self.shared = True
        self.end()


def depth(job: Job | None) -> int:
    """How many of the running jobs are this one and those around it."""
    depth = 0
    while job is not None:
        depth += not job.ended and not job.is_main
        job = job.outer
    return depth


def current(kind: str, mark: object) -> Job | None:
    """The running job of this context that the caller knows by ``mark``."""
    job = running.get()
    while job is not None and not (job.kind == kind and _is_same(job.mark, mark)):
        job = job.outer
    return job


def _is_same(one: object, other: object) -> bool:
    """Without asking an object of the host."""
    return one is other or (type(one) is type(other) is str and one == other)


_KEPT = 1_000
known_names: dict[str, str] = {}
"""Names that were cleaned before: a process has few."""


def cleaned(name: object) -> str:
    """A name as it may be reported: a plain text of bounded length, whatever the host calls its jobs."""
    if type(name) is str:
        found = known_names.get(name)
        if found is None:
            found = clean(name[: MAX_NAME + 1])
            if len(known_names) < _KEPT and len(name) <= MAX_NAME:
                known_names[name] = found
        return found
    if not issubclass(type(name), str):  # isinstance() would ask the object for its class
        return ""
    return clean(str.__str__(name)[: MAX_NAME + 1])
