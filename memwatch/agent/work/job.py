"""One running request, task or command, and the one that runs in this context."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from memwatch.agent.work.readings import Readings
from memwatch.agent.work.totals import BATCH
from memwatch.records.work import COMMAND, MAX_NAME
from memwatch.sampling.type_names import clean

if TYPE_CHECKING:
    from memwatch.agent.work.meter import Meter

LATE_S = 0.025
"""A job that was not measured and took so long may have raised the peak: that figure alone is read."""

running: ContextVar[Job | None] = ContextVar("memwatch_job", default=None)


class Job:
    """One running request, task or command. :func:`memwatch.agent.work.meter.begin` makes it whole.

    Each further value costs every job some memory that the processor has not at hand, and an ``__init__`` two
    microseconds.
    """

    __slots__ = (
        "began", "cut_off", "ended", "error", "kind", "limit_s", "mark", "meter", "name", "noted", "outer", "readings",
        "serial", "shared", "slot", "within",
    )  # fmt: skip

    meter: Meter
    kind: str
    name: str
    mark: object
    """What the caller knows it by."""
    outer: Job | None
    error: bool
    shared: bool
    """Whether others overlapped with it."""
    cut_off: bool
    """Whether what ends it ends the process."""
    readings: Readings | None
    serial: int
    """Which job of the process it is."""
    within: int
    """How many of those after it ran within it."""
    limit_s: float
    """After so long it is killed; 0: it has no limit, or none is known."""
    slot: int
    """Where it stands in the flight record."""
    noted: str | None
    """Under which name it stands there; ``None`` until it does."""
    began: float
    ended: bool
    """Set last: one that has none is not whole, and has nothing to end."""

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
        """Count it. Nothing happens the second time, or in a child that was forked within the job.

        All that an ordinary job needs is in here, as in :func:`memwatch.agent.work.meter.begin`.
        """
        if self.ended:
            return
        meter = self.meter
        try:
            self.ended = True
            seconds = meter.now() - self.began
            outer, serial = self.outer, self.serial
            meter.running.discard(serial)
            inner = running.get()
            if inner is self:
                running.set(outer)
            elif inner is not None:
                self.leave()
            if meter.is_over:
                return
            slots = meter.slots
            if slots is not None:
                slots.end(self, seconds)
            meter.worked += seconds
            if meter.last != serial + self.within:
                self.shared = True  # others began after it
            if outer is not None or self.shared or self.readings is not None or meter.search is not None:
                meter.read_after(self, seconds)
            else:
                late, top = (None, None) if seconds < LATE_S else meter.peaks.read_late()
                ended = (self.kind, self.name, seconds, self.error, False, None, None, None, late, top, None)
                meter.ended.append(ended)
            if not serial % BATCH:
                meter.totals.add_up()
        except BaseException:  # whatever a signal's handler raises
            meter.drop(self)
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
_known_names: dict[str, str] = {}
"""Names that were cleaned before: a process has few."""


def cleaned(name: object) -> str:
    """A name as it may be reported: a plain text of bounded length, whatever the host calls its jobs."""
    if type(name) is str:
        found = _known_names.get(name)
        if found is None:
            found = clean(name[: MAX_NAME + 1])
            if len(_known_names) < _KEPT and len(name) <= MAX_NAME:
                _known_names[name] = found
        return found
    if not issubclass(type(name), str):  # isinstance() would ask the object for its class
        return ""
    return clean(str.__str__(name)[: MAX_NAME + 1])
