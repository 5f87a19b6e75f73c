"""What waits to be sent: snapshots of an outage, the newest one, answers, parts of recordings; oldest first."""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Callable
from typing import Protocol

from memwatch.records import MemorySnapshot
from memwatch.records.distributions import Inventory
from memwatch.records.flight import Death
from memwatch.records.surroundings import Surroundings
from memwatch.sampling.identity import OutsideProcess
from memwatch.transport.recordings import RecordingPart
from memwatch.transport.wire import MAX_REPORT_BYTES, MAX_SNAPSHOTS_PER_REPORT, Answer

_ROOM_BYTES = MAX_REPORT_BYTES * 3 // 4
"""For the snapshots of one report; the rest is for who the process is, answers and the like."""

Batch = tuple[tuple[int, MemorySnapshot], ...]


class Buffer:
    """The newest ``size`` snapshots that have not been delivered, each with its ``seq``.

    They are kept as compressed JSON, one ``bytes`` each: a transport that is away for hours must not make the host
    grow by hundreds of gc-tracked objects that would look like a leak of its own.
    """

    def __init__(self, size: int) -> None:
        self._kept: deque[tuple[int, int, bytes]] = deque(maxlen=size)
        self.dropped = 0
        """Snapshots given up because the buffer was full or they fitted into no report."""

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, seq: int, snapshot: MemorySnapshot) -> None:
        """Keep one more; the oldest goes when the buffer is full."""
        text = json.dumps(snapshot.to_dict(), separators=(",", ":")).encode()
        if len(text) > _ROOM_BYTES:
            self.dropped += 1
            return
        if len(self._kept) == self._kept.maxlen:
            self.dropped += 1
        self._kept.append((seq, len(text), zlib.compress(text, 1)))

    def batch(self) -> Batch:
        """The oldest snapshots that fit into one report; they stay until :meth:`delivered`."""
        chosen: list[tuple[int, MemorySnapshot]] = []
        room = _ROOM_BYTES
        for seq, length, packed in self._kept:
            room -= length
            if room < 0 or len(chosen) == MAX_SNAPSHOTS_PER_REPORT:
                break
            chosen.append((seq, MemorySnapshot.from_dict(json.loads(zlib.decompress(packed)))))
        return tuple(chosen)

    def delivered(self, batch: Batch) -> None:
        """Forget what a report has carried."""
        for _ in range(len(batch)):
            self._kept.popleft()

    def give_up(self, batch: Batch) -> None:
        """Forget what no report could carry, and count it."""
        self.delivered(batch)
        self.dropped += len(batch)


Numbered = tuple[int, MemorySnapshot]


class Write(Protocol):
    """Makes the bytes of a report, or ``None`` where it cannot be written down."""

    def __call__(
        self,
        snapshots: Batch = (),
        answers: tuple[Answer, ...] = (),
        *,
        recordings: tuple[RecordingPart, ...] = (),
        deaths: tuple[Death, ...] = (),
        goodbye: bool = False,
    ) -> bytes | None: ...


class Deaths(Protocol):
    """Ends of other processes that are to be reported."""

    @property
    def deaths(self) -> tuple[Death, ...]:
        """As many as one report may bring."""

    def sent(self, many: int) -> None:
        """The first of them were."""


class Outbox:
    """Keeps what the transport has not taken. Used by the agent's thread alone."""

    def __init__(
        self, write: Write, *, buffer_size: int, parts: deque[RecordingPart], deaths: Deaths | None = None
    ) -> None:
        self._write = write
        self._ends = deaths
        self._buffer = Buffer(buffer_size)
        self._parts = parts
        self._fresh: Numbered | None = None
        self._answers: deque[Answer] = deque(maxlen=50)
        self.outside: tuple[OutsideProcess, ...] = ()
        self.surroundings: Surroundings | None = None
        self.inventory: Inventory | None = None
        self.report_due = False
        """A report is wanted even if there is nothing to say."""

    @property
    def dropped(self) -> int:
        """Snapshots given up so far."""
        return self._buffer.dropped

    def take(self, taken: Numbered) -> None:
        """The newest snapshot; one not yet delivered moves to the buffer."""
        self.keep_fresh()
        self._fresh = taken

    def keep_fresh(self) -> None:
        """The newest snapshot will have to wait."""
        if self._fresh is not None:
            seq, snapshot = self._fresh
            self._fresh = None
            self._buffer.add(seq, snapshot)

    def keep_answer(self, answer: Answer, taken: Numbered | None) -> None:
        """An answer that did not get through, with the snapshot that was taken for it."""
        self._answers.append(answer)
        if taken is not None:
            self._buffer.add(*taken)

    def deliver(self, send: Callable[[bytes], None], *, leaving: Callable[[], bool]) -> None:
        """Send everything, at least an empty report when one is due. Whatever ``send`` raises, nothing is lost."""
        while len(self._buffer) and not leaving():
            batch = self._buffer.batch()
            if self._report(send, batch):
                self._buffer.delivered(batch)
            else:
                self._buffer.give_up(batch)
        if self.report_due or self._fresh is not None or self._answers:
            if self._fresh is not None and not self._report(send, (self._fresh,)):
                self._buffer.dropped += 1
                self._fresh = None
            if self.report_due or self._answers:
                self._report(send, ())
            self._fresh = None
        while self._ends is not None and self._ends.deaths and not leaving():
            deaths = self._ends.deaths
            payload = self._write(deaths=deaths)
            if payload is not None:
                send(payload)
            self._ends.sent(len(deaths))
        while self._parts and not leaving():
            payload = self._write(recordings=(self._parts[0],))
            if payload is not None:
                send(payload)
            self._parts.popleft()

    def _report(self, send: Callable[[bytes], None], snapshots: Batch) -> bool:
        """Whether the report could be written down at all."""
        answers = tuple(self._answers)
        payload = self._write(snapshots, answers)
        if payload is None:
            return False
        send(payload)
        for _ in answers:
            self._answers.popleft()
        self.outside, self.surroundings, self.inventory = (), None, None
        self.report_due = False
        return True

    def goodbye(self) -> bytes | None:
        """The last report: as much of what waits as fits into one."""
        self.keep_fresh()
        last = tuple(self._parts)[-1:]  # of a recording that the end has cut short it says so
        deaths = () if self._ends is None else self._ends.deaths
        return self._write(self._buffer.batch(), tuple(self._answers), recordings=last, deaths=deaths, goodbye=True)
