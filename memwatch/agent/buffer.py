"""Snapshots that wait for the transport: bounded, compressed, and invisible to the census."""

from __future__ import annotations

import json
import zlib
from collections import deque

from memwatch.records import MemorySnapshot
from memwatch.transport.wire import MAX_REPORT_BYTES, MAX_SNAPSHOTS_PER_REPORT

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
