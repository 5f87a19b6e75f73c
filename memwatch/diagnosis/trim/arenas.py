"""The arenas of glibc's malloc, from the text of ``malloc_info``. Pure functions."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from memwatch.diagnosis.results import _Result
from memwatch.records import MB

PAGE = 4096
LARGE = 128 * 1024
"""glibc's own ``MALLOC_MMAP_THRESHOLD_`` before it adapts it: larger blocks are mapped one by one."""
MOST_ARENAS = 64
"""Arenas in a result, the largest first."""
MS_PER_MB = 0.7
"""Of a call, for each MB in free whole pages, at most. Measured: 0.14 ms on an idle machine, 0.67 on a busy one."""
MS_PER_PIECE = 0.0002
"""For each free piece that it passes."""

_HEAP = re.compile(rb'<heap nr="(\d{1,6})">(.*?)</heap>', re.DOTALL)
_FREE = re.compile(rb'<(?:size|unsorted) from="(\d+)" to="\d+" total="(\d+)" count="(\d+)"/>')
_TOTAL = re.compile(rb'<total type="(fast|rest|mmap)" count="(\d+)" size="(\d+)"/>')
_SYSTEM = re.compile(rb'<system type="current" size="(\d+)"/>')


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Arena(_Result):
    """An arena; number 0 is the main one. Sizes in MB."""

    number: int
    system_mb: float
    """Taken from the system."""
    free_mb: float
    """Not in use. Pages of it that were given back before are still counted."""
    pages_mb: float
    """The part of that in whole pages, about: so much ``malloc_trim`` can give back."""
    large_mb: float
    """The part of ``free_mb`` in pieces of 128 KB and more."""
    top_mb: float
    """The part of ``free_mb`` at the end of the arena."""
    pieces: int = 0
    """Free pieces."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Malloc:
    """All arenas, and what was mapped outside of them."""

    arenas: tuple[Arena, ...] = ()
    """By number."""
    mapped_mb: float = 0.0
    """Blocks that are mapped one by one."""

    @property
    def system_mb(self) -> float:
        """Taken from the system."""
        return sum(arena.system_mb for arena in self.arenas) + self.mapped_mb

    @property
    def free_mb(self) -> float:
        """Not in use."""
        return sum(arena.free_mb for arena in self.arenas)

    @property
    def pages_mb(self) -> float:
        """Not in use, in whole pages."""
        return sum(arena.pages_mb for arena in self.arenas)

    @property
    def pieces(self) -> int:
        """Free pieces."""
        return sum(arena.pieces for arena in self.arenas)


def parse(text: bytes) -> Malloc | None:
    """The arenas; ``None`` where the text has another form."""
    arenas = tuple(_arena(int(number), body) for number, body in _HEAP.findall(text))
    if not arenas:
        return None
    rest = text.rpartition(b"</heap>")[2]
    mapped = sum(int(size) for kind, _count, size in _TOTAL.findall(rest) if kind == b"mmap")
    return Malloc(arenas=arenas, mapped_mb=mapped / MB)


def _arena(number: int, body: bytes) -> Arena:
    pieces = [(int(least), int(total), int(count)) for least, total, count in _FREE.findall(body)]
    totals = {kind: (int(count), int(size)) for kind, count, size in _TOTAL.findall(body)}
    system = _SYSTEM.search(body)
    listed = sum(total for _least, total, _count in pieces)
    free = sum(size for _count, size in totals.values())
    top = max(0, free - listed)  # the end of the arena is counted, and not listed
    # The ends of a piece lie within pages: on average that takes one page from it.
    pages = sum(max(0, total - count * PAGE) for _least, total, count in pieces)
    return Arena(
        number=number,
        system_mb=(int(system[1]) if system else 0) / MB,
        free_mb=free / MB,
        pages_mb=(pages + (top if number == 0 else 0)) / MB,  # malloc_trim leaves the ends of the others
        large_mb=sum(total for least, total, _count in pieces if least >= LARGE) / MB,
        top_mb=top / MB,
        pieces=sum(count for _least, _total, count in pieces),
    )


def largest(arenas: Sequence[Arena]) -> tuple[Arena, ...]:
    """Those that a result shows."""
    return tuple(sorted(arenas, key=lambda arena: -arena.system_mb)[:MOST_ARENAS])


def expected_ms(malloc: Malloc) -> float:
    """How long the call takes at most, about."""
    return malloc.pages_mb * MS_PER_MB + malloc.pieces * MS_PER_PIECE
