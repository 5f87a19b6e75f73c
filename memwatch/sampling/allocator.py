"""What Python's and the C library's allocators hold, asked by ctypes where the platform has the functions.

pymalloc: the text of ``_PyObject_DebugMallocStats`` (what ``sys._debugmallocstats()`` writes to stderr), written into
a memory stream. malloc: ``mallinfo2`` (glibc 2.33 and later). Arenas of pymalloc are mapped outside malloc, so nothing
is counted twice. All calls hold the interpreter's lock (``PyDLL``).

While something traces allocations (tracemalloc, memray) its wrapper stands before pymalloc, which then tells nothing.
Its blocks are still counted (``sys.getallocatedblocks``), so their bytes are estimated from the mean size of a block
when it last reported one.
"""

from __future__ import annotations

import ctypes
import dataclasses
import re
import sys

from memwatch.records import MB


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


class _Mallinfo2(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )


_ALLOCATED = re.compile(rb"^# bytes in allocated blocks\s*=\s*([\d,]+)", re.MULTILINE)
_ARENAS = re.compile(rb"^(\d+) arenas \* (\d+) bytes/arena", re.MULTILINE)

_OTHER_MALLOCS = ("mallctl", "tc_version", "mi_version")
"""Functions of jemalloc, tcmalloc and mimalloc: where one is loaded, glibc's figures say nothing."""


def parse_pymalloc(text: bytes) -> tuple[int, int] | None:
    """``(bytes in allocated blocks, bytes of arenas)`` of the debug text; ``None`` when it has another form."""
    allocated, arenas = _ALLOCATED.search(text), _ARENAS.search(text)
    if allocated is None or arenas is None:
        return None
    return int(allocated[1].replace(b",", b"")), int(arenas[1]) * int(arenas[2])


class Allocators:
    """Asks both allocators. Made once; :meth:`read` never raises."""

    def __init__(self, library: ctypes.PyDLL | None = None, *, malloc: bool = True) -> None:
        """``malloc``: whether malloc is asked too, which takes time where it has many free pieces."""
        self._library = open_library() if library is None else library
        self._mallinfo2 = find_mallinfo2(self._library) if malloc and self._library is not None else None
        self._has_stream = self._library is not None and _prepare_stream(self._library)
        self._told: tuple[float, int] | None = None
        """Bytes of a block on average and bytes of arenas, when pymalloc last reported them."""
        self.read()

    def read(self) -> AllocatorFigures:
        """The figures of now: 0.1 to 0.6 ms."""
        text = self._pymalloc_text()
        pymalloc = parse_pymalloc(text) if text else None
        blocks = sys.getallocatedblocks()
        if pymalloc is not None and blocks > 0:
            self._told = (pymalloc[0] / blocks, pymalloc[1])
        elif text == b"" and self._told is not None:
            pymalloc = (round(self._told[0] * blocks), max(self._told[1], round(self._told[0] * blocks)))
        used = committed = None
        if self._mallinfo2 is not None:
            info = self._mallinfo2()
            used = (info.uordblks + info.hblkhd) / MB
            committed = (info.arena + info.hblkhd) / MB
        return AllocatorFigures(
            pymalloc_used_mb=None if pymalloc is None else pymalloc[0] / MB,
            pymalloc_committed_mb=None if pymalloc is None else pymalloc[1] / MB,
            malloc_used_mb=used,
            malloc_committed_mb=committed,
            pymalloc_off=text == b"" and pymalloc is None,
        )

    def _pymalloc_text(self) -> bytes | None:
        """The debug text; empty when pymalloc is not in use, ``None`` when the platform cannot tell."""
        library = self._library
        if library is None or not self._has_stream:
            return None
        text, size = ctypes.c_void_p(), ctypes.c_size_t()
        stream = library.open_memstream(ctypes.byref(text), ctypes.byref(size))
        if not stream:
            return None
        in_use = library._PyObject_DebugMallocStats(stream)
        library.fclose(stream)
        try:
            return ctypes.string_at(text.value, size.value) if in_use and text.value else b""
        finally:
            library.free(text)


def open_library() -> ctypes.PyDLL | None:
    try:
        return ctypes.PyDLL(None)
    except (OSError, TypeError):
        return None


def find_mallinfo2(library: ctypes.PyDLL) -> ctypes._NamedFuncPointer | None:
    if any(hasattr(library, name) for name in _OTHER_MALLOCS):
        return None
    try:
        function = library.mallinfo2
    except AttributeError:
        return None
    function.restype, function.argtypes = _Mallinfo2, ()
    return function


def _prepare_stream(library: ctypes.PyDLL) -> bool:
    """Declare the functions that the debug text takes; False where one is missing."""
    try:
        open_memstream, fclose, free = library.open_memstream, library.fclose, library.free
        statistics = library._PyObject_DebugMallocStats
    except AttributeError:
        return False
    open_memstream.restype, open_memstream.argtypes = ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_void_p)
    fclose.restype, fclose.argtypes = ctypes.c_int, (ctypes.c_void_p,)
    free.restype, free.argtypes = None, (ctypes.c_void_p,)
    statistics.restype, statistics.argtypes = ctypes.c_int, (ctypes.c_void_p,)
    return True
