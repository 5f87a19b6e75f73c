"""What Python's and the C library's allocators hold, where the platform has the functions that say so.

pymalloc: the text of ``_PyObject_DebugMallocStats`` (what ``sys._debugmallocstats()`` writes to stderr), written into
a memory stream. malloc: ``mallinfo2`` (glibc 2.33 and later). Arenas of pymalloc are mapped outside malloc, so nothing
is counted twice. All calls hold the interpreter's lock. They are made by ``_allocators.c``, else by ctypes.

While something traces allocations (tracemalloc, memray) its wrapper stands before pymalloc, which then tells nothing.
Its blocks are still counted (``sys.getallocatedblocks``), so their bytes are estimated from the mean size of a block
when it last reported one.
"""

from __future__ import annotations

import dataclasses
import re
import sys

from memwatch.records import MB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Source(Protocol):
        """Who asks the allocators."""

        def pymalloc_text(self) -> bytes | None:
            """The debug text; empty when pymalloc is not in use, ``None`` when the platform cannot tell."""

        def malloc_bytes(self) -> tuple[int, int] | None:
            """Bytes in use and taken from the system; ``None`` without glibc's malloc."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AllocatorFigures:
    """In use and taken from the system; ``None`` where the platform does not tell."""

    pymalloc_used_mb: float | None = None
    pymalloc_committed_mb: float | None = None
    malloc_used_mb: float | None = None
    malloc_committed_mb: float | None = None
    pymalloc_off: bool = False
    """Python's objects come from malloc (``PYTHONMALLOC=malloc``), so malloc's figures are all there is."""

    @property
    def used_mb(self) -> float | None:
        """Live blocks of both; ``None`` unless both are known."""
        return self._both(self.pymalloc_used_mb, self.malloc_used_mb)

    @property
    def committed_mb(self) -> float | None:
        """Taken from the system by both; ``None`` unless both are known."""
        return self._both(self.pymalloc_committed_mb, self.malloc_committed_mb)

    def _both(self, pymalloc: float | None, malloc: float | None) -> float | None:
        if self.pymalloc_off:
            return malloc
        return None if pymalloc is None or malloc is None else pymalloc + malloc


_ALLOCATED = re.compile(rb"^# bytes in allocated blocks\s*=\s*([\d,]+)", re.MULTILINE)
_ARENAS = re.compile(rb"^(\d+) arenas \* (\d+) bytes/arena", re.MULTILINE)


def parse_pymalloc(text: bytes) -> tuple[int, int] | None:
    """``(bytes in allocated blocks, bytes of arenas)`` of the debug text; ``None`` when it has another form."""
    allocated, arenas = _ALLOCATED.search(text), _ARENAS.search(text)
    if allocated is None or arenas is None:
        return None
    return int(allocated[1].replace(b",", b"")), int(arenas[1]) * int(arenas[2])


class Allocators:
    """Asks both allocators. Made once; :meth:`read` never raises."""

    def __init__(self, source: Source | None = None, *, malloc: bool = True) -> None:
        """``malloc``: whether malloc is asked too, which takes time where it has many free pieces."""
        self._source = own_source() if source is None else source
        self._asks_malloc = malloc
        self._told: tuple[float, int] | None = None
        """Bytes of a block on average and bytes of arenas, when pymalloc last reported them."""
        self.read()

    def read(self) -> AllocatorFigures:
        """The figures of now: 0.1 to 0.6 ms."""
        text = self._source.pymalloc_text()
        pymalloc = parse_pymalloc(text) if text else None
        blocks = sys.getallocatedblocks()
        if pymalloc is not None and blocks > 0:
            self._told = (pymalloc[0] / blocks, pymalloc[1])
        elif text == b"" and self._told is not None:
            pymalloc = (round(self._told[0] * blocks), max(self._told[1], round(self._told[0] * blocks)))
        malloc = self._source.malloc_bytes() if self._asks_malloc else None
        return AllocatorFigures(
            pymalloc_used_mb=None if pymalloc is None else pymalloc[0] / MB,
            pymalloc_committed_mb=None if pymalloc is None else pymalloc[1] / MB,
            malloc_used_mb=None if malloc is None else malloc[0] / MB,
            malloc_committed_mb=None if malloc is None else malloc[1] / MB,
            pymalloc_off=text == b"" and pymalloc is None,
        )


def own_source() -> Source:
    """The compiled one, where it is installed; else ctypes."""
    try:
        from memwatch.sampling import _allocators  # type: ignore[attr-defined]  # noqa: PLC0415 - optional
    except ImportError:
        from memwatch.sampling.allocator.functions import AllocatorFunctions  # noqa: PLC0415 - ctypes is large

        return AllocatorFunctions()
    return _allocators  # type: ignore[no-any-return]
