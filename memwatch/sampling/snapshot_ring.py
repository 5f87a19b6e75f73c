"""Snapshots kept in memory that is allocated once, so that keeping them changes nothing they measure."""

from __future__ import annotations

import json
import math
import zlib
from array import array
from collections.abc import Iterator
from typing import Any

from memwatch.records import MemorySnapshot

ROWS = 1_000
ROOM_BYTES = 1_500_000

COLUMNS = ("heap_used_mb", "gc_collections_gen1", "gc_collections_gen2")
"""Figures that can be read over time without unpacking whole snapshots."""


class KeptSnapshots:
    """The newest snapshots, oldest first: 1,000 of them, or as many as fit into 1.5 MB.

    Each is its JSON, compressed with the first one as the dictionary (names of types repeat), in a ring of bytes;
    times and a few figures are columns of their own. All of it is allocated by the constructor.
    """

    def __init__(self, *, rows: int = ROWS, room_bytes: int = ROOM_BYTES) -> None:
        self._rows = rows
        self._room = bytearray(room_bytes)
        self._starts = array("q", bytes(8 * rows))
        self._lengths = array("q", bytes(8 * rows))
        self._times = array("d", bytes(8 * rows))
        self._columns = {name: array("d", bytes(8 * rows)) for name in COLUMNS}
        self._oldest = self._count = 0
        self._dictionary = b""

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """Memory taken, whether used or not."""
        return len(self._room) + 8 * self._rows * (3 + len(COLUMNS)) + len(self._dictionary)

    def _place(self, number: int) -> int:
        """Where the ``number``-th oldest row is kept."""
        return (self._oldest + number) % self._rows

    def add(self, snapshot: MemorySnapshot) -> None:
        """Keep one more; the oldest make room. One that is larger than all the room is not kept."""
        text = json.dumps(snapshot.to_dict(), separators=(",", ":")).encode()
        if not self._dictionary:
            self._dictionary = text[-32_768:]
        packer = zlib.compressobj(level=6, zdict=self._dictionary)
        packed = packer.compress(text) + packer.flush()
        if len(packed) > len(self._room):
            return
        start = self._make_room(len(packed))
        place = self._place(self._count)
        self._room[start : start + len(packed)] = packed
        self._starts[place], self._lengths[place] = start, len(packed)
        self._times[place] = snapshot.timestamp.timestamp()
        for name, column in self._columns.items():
            value = getattr(snapshot, name)
            column[place] = math.nan if value is None else value
        self._count += 1

    def _make_room(self, length: int) -> int:
        """Drop the oldest rows where ``length`` bytes will lie; the start of that place."""
        if self._count == self._rows:
            self._drop_oldest()
        if not self._count:
            return 0
        newest = self._place(self._count - 1)
        start = self._starts[newest] + self._lengths[newest]
        if start + length > len(self._room):
            while self._count and self._starts[self._oldest] >= start:  # what lies behind the newest is older
                self._drop_oldest()
            start = 0
        while self._count and start <= self._starts[self._oldest] < start + length:
            self._drop_oldest()
        return start

    def _drop_oldest(self) -> None:
        self._oldest = (self._oldest + 1) % self._rows
        self._count -= 1

    def dicts(self, count: int | None = None, *, since: float = -math.inf, at_most: int = ROWS) -> list[dict[str, Any]]:
        """The newest ``count`` (all) as ``to_dict()`` gave them, oldest first.

        ``since``: seconds since the epoch. ``at_most``: so many of them, evenly spread, the newest among them.
        """
        numbers = range(self._count if count is None else min(max(count, 0), self._count))
        wanted = [number for number in numbers if self._times[self._place(self._count - 1 - number)] >= since]
        stride = max(1, math.ceil(len(wanted) / at_most))
        return [self._unpack(self._place(self._count - 1 - number)) for number in reversed(wanted[::stride])]

    def _unpack(self, place: int) -> dict[str, Any]:
        start = self._starts[place]
        unpacker = zlib.decompressobj(zdict=self._dictionary)
        row: dict[str, Any] = json.loads(unpacker.decompress(self._room[start : start + self._lengths[place]]))
        return row

    def column(self, name: str) -> Iterator[tuple[float, float]]:
        """``(seconds since the epoch, value)`` of a figure, oldest first, where it was measured."""
        column = self._columns[name]
        for number in range(self._count):
            place = self._place(number)
            if not math.isnan(column[place]):
                yield self._times[place], column[place]
