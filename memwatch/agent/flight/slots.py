"""The jobs in the flight record: one store when a job begins, one when it ends, and no call of the system."""

from __future__ import annotations

from collections import deque
from mmap import mmap
from typing import Protocol

from memwatch.agent.work.clock import Clock
from memwatch.records.work import KINDS
from memwatch.transport.flights import layout
from memwatch.transport.flights.layout import ENDED, JOB, JOBS_AT, MAX_JOBS, RUNS, SECONDS, SECONDS_IN_JOB

_KINDS = {kind: number for number, kind in enumerate(KINDS)}
_OTHER = len(KINDS)
_JOBS = slice(JOBS_AT, JOBS_AT + MAX_JOBS * JOB.size)
_write = JOB.pack_into
_write_seconds = SECONDS.pack_into
_KEPT = 1_000
NO_SLOT = -1


def is_at_limit(seconds: float, limit_s: float | None) -> bool:
    """Whether a job that has taken so long is killed about now: who kills it has begun to count at another moment."""
    return limit_s is not None and limit_s > 0 and seconds >= max(0.9 * limit_s, limit_s - 1.0)


class Slotted(Protocol):
    """What a job must say of itself."""

    kind: str
    name: str
    began: float
    """As :class:`Clock` says it."""
    limit_s: float
    """0: it has none."""
    cut_off: bool
    """Whether what ends it ends the process."""
    slot: int
    """Where it is written; :data:`NO_SLOT`: nowhere."""
    noted: str
    """Its name as it is written there."""


class JobSlots:
    """Used by all threads. Before the file is there, and after it, the jobs are kept in memory.

    A slot is an offset in the file. A job that begins takes that of the job that ended first of all.
    """

    __slots__ = ("_free", "_known", "_since_1970", "is_frozen", "store")

    def __init__(self) -> None:
        self.store: bytearray | mmap = bytearray(layout.SIZE)
        self._free = deque(JOBS_AT + number * JOB.size for number in range(MAX_JOBS))
        self._known: dict[str, tuple[str, int, int, bytes]] = {}
        """Kind, its number, and the bytes of the name, by name."""
        self.is_frozen = False
        """The process is being ended for what runs now: that stays, although it may end before the process does."""
        self._since_1970 = 0.0
        """When :class:`Clock` was 0."""
        self.set_clock()

    def set_clock(self) -> None:
        """The system's clock may have been set."""
        self._since_1970 = Clock.since_1970() - Clock.now()

    def move_to(self, store: bytearray | mmap) -> None:
        """From now on the jobs are kept there, those that run among them."""
        store[_JOBS] = self.store[_JOBS]
        self.store = store

    def begin(self, job: Slotted) -> None:
        """A job runs. One too many is not kept."""
        noted = job.noted = job.name
        try:
            slot = job.slot = self._free.popleft()
        except IndexError:
            return
        known = self._known.get(noted)
        if known is None or known[0] is not job.kind:
            known = self._written(job.kind, noted)
        _kind, number, length, name = known
        _write(self.store, slot, RUNS, number, length, job.limit_s, self._since_1970 + job.began, 0.0, name)

    def _written(self, kind: str, noted: str) -> tuple[str, int, int, bytes]:
        """How it stands in the file; kept, because a process has few names."""
        name = noted.encode("utf-8", "replace")
        found = (kind, _KINDS.get(kind, _OTHER), len(name), name)
        if len(self._known) < _KEPT:
            self._known[noted] = found
        return found

    def name(self, job: Slotted) -> None:
        """Its name is known now."""
        if job.slot != NO_SLOT:
            self._put(job, RUNS, 0.0)

    def _put(self, job: Slotted, state: int, seconds: float) -> None:
        noted = job.noted = job.name
        known = self._known.get(noted)
        if known is None or known[0] is not job.kind:
            known = self._written(job.kind, noted)
        _kind, number, length, name = known
        _write(self.store, job.slot, state, number, length, job.limit_s, self._since_1970 + job.began, seconds, name)

    def end(self, job: Slotted, seconds: float) -> None:
        """A job has ended. One that is being killed stays until the next one takes its slot."""
        slot = job.slot
        if slot == NO_SLOT or self.is_frozen:
            return
        if job.cut_off or (job.limit_s and is_at_limit(seconds, job.limit_s)):
            self._free.appendleft(slot)
        else:
            if job.noted is job.name:
                store = self.store
                _write_seconds(store, slot + SECONDS_IN_JOB, seconds)
                store[slot] = ENDED
            else:
                self._put(job, ENDED, seconds)
            self._free.append(slot)
        job.slot = NO_SLOT

    def drop(self, job: Slotted) -> None:
        """A job has ended, and :meth:`end` was broken off somewhere, or was not reached."""
        slot, job.slot = job.slot, NO_SLOT
        if slot != NO_SLOT and not self.is_frozen and slot not in self._free:
            self.store[slot] = layout.FREE
            self._free.append(slot)
