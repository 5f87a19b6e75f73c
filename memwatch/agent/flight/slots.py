"""The jobs in the flight record: one store when a job begins, two when it ends, and no call of the system."""

from __future__ import annotations

import itertools
from collections.abc import MutableSequence
from mmap import mmap
from typing import Protocol

from memwatch.agent.work.clock import Clock
from memwatch.records.flight import MAX_RECENT, MAX_RUNNING
from memwatch.records.work import KINDS
from memwatch.transport.flights import layout
from memwatch.transport.flights.layout import JOB, RECENT_AT, RUNNING_AT

_KINDS = {kind: number for number, kind in enumerate(KINDS)}
_JOBS = slice(RUNNING_AT, RECENT_AT + MAX_RECENT * JOB.size)
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
    slot: int


class JobSlots:
    """Used by all threads. Before the file is there, and after it, the jobs are kept in memory.

    Slots are given out last in, first out: one that is not freed is written over by the next job.
    """

    def __init__(self) -> None:
        self.store: bytearray | mmap = bytearray(layout.SIZE)
        self._free: MutableSequence[int] = list(range(MAX_RUNNING - 1, -1, -1))
        self._ended = itertools.count()
        self._names: dict[str, bytes] = {}
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
        """A job runs. One too many has no slot: it is kept only once it has ended."""
        try:
            job.slot = self._free.pop()
        except IndexError:
            return
        self.name(job)

    def name(self, job: Slotted) -> None:
        """Its name is known now."""
        if job.slot != NO_SLOT:
            self._write(RUNNING_AT + job.slot * JOB.size, layout.RUNS, job, 0.0)

    def end(self, job: Slotted, seconds: float) -> None:
        """A job has ended. One at its limit is being killed: it stays until the next one takes its slot."""
        if self.is_frozen:
            return
        slot, job.slot = job.slot, NO_SLOT
        if slot == NO_SLOT or not is_at_limit(seconds, job.limit_s):
            self._write(RECENT_AT + next(self._ended) % MAX_RECENT * JOB.size, layout.ENDED, job, seconds)
            if slot != NO_SLOT:
                self.store[RUNNING_AT + slot * JOB.size] = layout.FREE
        if slot != NO_SLOT:
            self._free.append(slot)

    def _write(self, at: int, state: int, job: Slotted, seconds: float) -> None:
        name = self._names.get(job.name)
        if name is None:
            name = self._encoded(job.name)
        kind = _KINDS.get(job.kind, len(KINDS))
        JOB.pack_into(self.store, at, state, kind, len(name), job.limit_s, self._since_1970 + job.began, seconds, name)

    def _encoded(self, name: str) -> bytes:
        text = name.encode("utf-8", "replace")[: layout.NAME_BYTES]
        if len(self._names) < _KEPT:
            self._names[name] = text
        return text
