"""The jobs in the flight record: some stores when a job begins, two when it ends, and no call of the system."""

from __future__ import annotations

import sys
from collections import deque
from mmap import mmap
from typing import Protocol

from memwatch.agent.work.clock import Clock
from memwatch.records.work import KINDS
from memwatch.transport.flights import layout
from memwatch.transport.flights.layout import (
    BEGAN_IN_JOB,
    ENDED,
    FREE,
    JOB,
    JOBS_AT,
    MAX_JOBS,
    NAME_BYTES,
    NAME_IN_JOB,
    RUNS,
    SECONDS_IN_JOB,
    SPAN,
    SPANS_AT,
    WORD,
)

_KINDS = {kind: number for number, kind in enumerate(KINDS)}
_OTHER = len(KINDS)
_JOBS = slice(JOBS_AT, JOBS_AT + MAX_JOBS * JOB.size)
_SPANS = slice(SPANS_AT, SPANS_AT + MAX_JOBS * SPAN.size)
_KEPT = 1_000
NO_SLOT = -1

Known = tuple[str, str, float, int, slice, bytes]
"""How a job that runs stands in the file: its name, kind and limit, what comes before the times as one number, the
part of the name's place that is used, and the name."""


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
    noted: str | None
    """Its name as it is written there; ``None`` until all of it is written."""


class JobSlots:
    """Used by all threads. Before the file is there, and after it, the jobs are kept in memory.

    A slot is the number of a job's place. A job that begins takes the place of the job that ended first of all.

    Each part of a place is written through a view that has that part of all of them: with the processor's caches cold,
    :mod:`struct` takes three times as long.
    """

    __slots__ = (
        "_began", "_free", "_heads", "_names", "_seconds", "_since_1970", "_states", "is_frozen", "known", "size",
        "store",
    )  # fmt: skip

    def __init__(self, *, spans: bool = False) -> None:
        self.size = layout.SIZE_WITH_SPANS if spans else layout.SIZE
        """Of the record that they belong to."""
        self._free = deque(range(MAX_JOBS))
        self.known: dict[str, Known] = {}
        """By name, which is clean."""
        self.is_frozen = False
        """The process is being ended for what runs now: that stays, although it may end before the process does."""
        self._since_1970 = 0.0
        """When :class:`Clock` was 0."""
        self.set_clock()
        self._use(bytearray(self.size))

    def _use(self, store: bytearray | mmap) -> None:
        self.store = store
        jobs = memoryview(store)[_JOBS]
        self._states = jobs[:: JOB.size]
        words = slice(None, None, JOB.size // WORD)
        self._heads = jobs.cast("Q")[words]
        self._began = jobs[BEGAN_IN_JOB:].cast("d")[words]
        self._seconds = jobs[SECONDS_IN_JOB:].cast("d")[words]
        self._names = [jobs[at + NAME_IN_JOB : at + JOB.size] for at in range(0, len(jobs), JOB.size)]

    def set_clock(self) -> None:
        """The system's clock may have been set."""
        self._since_1970 = Clock.since_1970() - Clock.now()

    def move_to(self, store: bytearray | mmap) -> None:
        """From now on the jobs are kept there, those that run among them."""
        store[_JOBS] = self.store[_JOBS]
        if min(len(store), len(self.store)) >= layout.SIZE_WITH_SPANS:
            store[_SPANS] = self.store[_SPANS]
        self._use(store)

    def begin(self, job: Slotted, known: Known | None = None) -> None:
        """A job runs. One too many is not kept. ``known``: what :attr:`known` has of its name."""
        try:
            slot = job.slot = self._free.popleft()
        except IndexError:
            return
        if known is None or known[1] is not job.kind or known[2] != job.limit_s:
            known = self._written(job)
        name, _kind, _limit_s, head, where, written = known
        heads = self._heads
        heads[slot] = FREE  # until all of it is there
        self._began[slot] = self._since_1970 + job.began
        if name:
            self._names[slot][where] = written
        heads[slot] = head
        job.noted = job.name

    def name(self, job: Slotted) -> None:
        """Its name is known now."""
        slot = job.slot
        if slot == NO_SLOT:
            return
        _name, _kind, _limit_s, head, where, written = self._written(job)
        self._names[slot][where] = written
        self._heads[slot] = head
        job.noted = job.name

    def note_span(self, job: Slotted, trace: int, span: int) -> None:
        """A job runs in this span."""
        slot = job.slot
        if slot != NO_SLOT and len(self.store) >= layout.SIZE_WITH_SPANS:
            at = SPANS_AT + slot * SPAN.size
            SPAN.pack_into(self.store, at, self._began[slot], trace.to_bytes(16), span.to_bytes(8))

    def _written(self, job: Slotted) -> Known:
        """How it stands in the file; kept, because a process has few names."""
        name, kind, limit_s = job.name, job.kind, job.limit_s
        found = self.known.get(name)
        if found is None or found[1] is not kind or found[2] != limit_s:
            text = name.encode("utf-8", "replace")
            head = JOB.pack(RUNS, _KINDS.get(kind, _OTHER), len(text), limit_s, 0.0, 0.0, b"")[:WORD]
            text = text[:NAME_BYTES]
            found = (name, kind, limit_s, int.from_bytes(head, sys.byteorder), slice(len(text)), text)
            if len(self.known) < _KEPT:
                self.known[name] = found
        return found

    def end(self, job: Slotted, seconds: float) -> None:
        """A job has ended. One that is being killed stays until the next one takes its slot."""
        slot = job.slot
        if slot == NO_SLOT or self.is_frozen:
            return
        if job.cut_off or (job.limit_s and is_at_limit(seconds, job.limit_s)):
            self._free.appendleft(slot)
        else:
            if job.noted is not job.name:
                self.name(job)
            self._seconds[slot] = seconds
            self._states[slot] = ENDED
            self._free.append(slot)
        job.slot = NO_SLOT

    def drop(self, job: Slotted) -> None:
        """A job has ended, and :meth:`end` was broken off somewhere, or was not reached."""
        slot, job.slot = job.slot, NO_SLOT
        if slot != NO_SLOT and not self.is_frozen and slot not in self._free:
            self._states[slot] = FREE
            self._free.append(slot)
