"""Counts in the order of calls, in columns made ahead: keeping a count must not itself look like growth."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping

OWN = "memwatch.pytest_plugin."
"""Types of these modules are our own: not counted."""
MALLOC, MAPPED, TOUCHED = MEMORY = ("malloc", "mapped", "touched")
"""What is counted in KiB."""
_NUMBER = struct.Struct("d")
"""Exact for whole numbers below 2**53."""
_BLOCKS_EACH = 3
"""Blocks of a column: the bytearray, its memory, its place in the dict."""


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """What the process holds at one moment, after a full collection."""

    objects: Mapping[str, int]
    """By type name."""
    blocks: int
    """``sys.getallocatedblocks()``."""
    malloc_kib: float | None = None
    """The C library's memory in use; ``None`` where the platform does not tell, as of the next two."""
    mapped_kib: float | None = None
    """What was mapped beside it and Python's allocator."""
    touched_kib: float | None = None
    """Resident memory without Python's small objects."""

    def memory(self, of: str) -> float:
        """KiB of one of :data:`MEMORY`; 0 where the platform does not tell."""
        return getattr(self, f"{of}_kib") or 0.0


class _Column:
    """Numbers in a bytearray, which the garbage collector does not track."""

    __slots__ = ("_values",)

    def __init__(self, rows: int) -> None:
        self._values = bytearray(rows * _NUMBER.size)

    def __setitem__(self, row: int, value: float) -> None:
        _NUMBER.pack_into(self._values, row * _NUMBER.size, value)

    def first(self, rows: int) -> list[float]:
        return [value for (value,) in _NUMBER.iter_unpack(self._values[: rows * _NUMBER.size])]


class Ledger:
    """The first count, and what the following ones have more or less. ``rows``: the most that may follow."""

    def __init__(self, first: Count, rows: int) -> None:
        self._first = {name: count for name, count in first.objects.items() if not name.startswith(OWN)}
        self._most = rows + 1
        self._columns: dict[str, _Column] = {}
        self._blocks, self._calls = _Column(self._most), _Column(self._most)
        # Attributes, since a dict of them would be one more in each count but the first.
        self._malloc = _Column(self._most) if first.malloc_kib is not None else None
        self._mapped = _Column(self._most) if first.mapped_kib is not None else None
        self._touched = _Column(self._most) if first.touched_kib is not None else None
        self.made = 0
        """Calls between the first count and the last."""
        self.rows = 0
        self._start = first
        self._end: Count | None = None
        self._note(first)

    def end(self, count: Count) -> None:
        """The count after all, for which nothing was set aside: see :meth:`stayed`."""
        self._end = count

    def stayed(self, unit: str, name: str, memory: str = MALLOC) -> float | None:
        """Growth of a type, of ``blocks`` or of ``KiB`` from the first count to the end; ``None`` without an end."""
        if self._end is None:
            return None
        if unit == "blocks":
            return self._end.blocks - self._start.blocks
        if unit == "KiB":
            return self._end.memory(memory) - self._start.memory(memory)
        return self._end.objects.get(name, 0) - self._start.objects.get(name, 0)

    def add(self, count: Count, calls: int) -> None:
        """One more count, after so many calls."""
        for name, number in count.objects.items():
            if name.startswith(OWN):
                continue
            column = self._columns.get(name)
            if column is None and number != self._first.get(name, 0):
                column = self._column(name)
            if column is not None:
                column[self.rows] = number
        for name, column in self._columns.items():
            if name not in count.objects:
                column[self.rows] = 0
        self.made += calls
        self._note(count)

    def _column(self, name: str) -> _Column:
        column = self._columns[name] = _Column(self._most)
        for row in range(self.rows):
            column[row] = self._first.get(name, 0)
        return column

    def _note(self, count: Count) -> None:
        self._calls[self.rows] = self.made
        self._blocks[self.rows] = count.blocks - _BLOCKS_EACH * len(self._columns)
        for of in MEMORY:
            memory: _Column | None = getattr(self, f"_{of}")
            if memory is not None:
                memory[self.rows] = count.memory(of)
        self.rows += 1

    @property
    def objects(self) -> dict[str, list[float]]:
        """The counts of each type that differed at any time."""
        return {name: column.first(self.rows) for name, column in self._columns.items()}

    @property
    def calls(self) -> list[float]:
        """Made between the first count and each."""
        return self._calls.first(self.rows)

    @property
    def blocks(self) -> list[float]:
        return self._blocks.first(self.rows)

    def memory_kib(self, of: str = MALLOC) -> list[float] | None:
        """Of one of :data:`MEMORY`; ``None`` where the platform does not tell."""
        column: _Column | None = getattr(self, f"_{of}")
        return None if column is None else column.first(self.rows)
