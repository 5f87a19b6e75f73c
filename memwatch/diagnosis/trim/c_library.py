"""``malloc_trim`` and ``malloc_info`` of the C library that the process has loaded.

By ctypes and not by ``psutil.heap_trim()``: that keeps the interpreter's lock for the whole call (measured: another
thread stood still for 184 of 194 ms), a call through ``CDLL`` releases it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any, NamedTuple

MOST_TEXT = 4 << 20
"""Bytes of ``malloc_info`` that are read: about 10 KB for each arena."""
MALLOCS = {"mallctl": "jemalloc", "tc_version": "tcmalloc", "mi_version": "mimalloc"}
"""Functions by which other allocators are known."""


class _DlInfo(ctypes.Structure):
    _fields_ = (
        ("fname", ctypes.c_char_p),
        ("fbase", ctypes.c_void_p),
        ("sname", ctypes.c_char_p),
        ("saddr", ctypes.c_void_p),
    )


class Trimmed(NamedTuple):
    """One call."""

    seconds: float
    returned: bool
    """What ``malloc_trim`` answers: whether it gave anything back."""


class CLibrary:
    """Made where somebody trims. Takes another library for tests."""

    def __init__(self, library: Any = None) -> None:
        self._library = _open() if library is None else library
        self.malloc = _malloc_of(self._library)
        """E.g. ``glibc 2.36``, ``jemalloc``, ``libfoo.so``; empty where it is not known."""
        self.why_not = self._problem()
        """Why ``malloc_trim`` would reach nothing, as a sentence; empty where it can be called."""

    def _problem(self) -> str:
        library = self._library
        if sys.platform == "darwin":
            return "macOS has no malloc_trim"
        if not hasattr(library, "malloc_trim"):
            return "the C library of this process has no malloc_trim: only glibc has it, musl (Alpine) does not"
        if self.malloc and not self.malloc.startswith("glibc"):
            return (
                f"this process takes its memory from {self.malloc}, and not from glibc's malloc. malloc_trim does not "
                "reach that memory, and nothing was given back"
            )
        return ""

    def malloc_info(self) -> bytes:
        """The arenas as XML; empty where the library does not tell.

        It holds one arena's lock at a time, while it counts the arena's free pieces (measured: 0.1 µs for each).
        """
        library = self._library
        if self.why_not or not all(hasattr(library, name) for name in ("malloc_info", "open_memstream")):
            return b""
        library.open_memstream.restype = ctypes.c_void_p
        library.open_memstream.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        library.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
        library.fclose.argtypes = library.free.argtypes = (ctypes.c_void_p,)
        library.free.restype = None
        text, size = ctypes.c_void_p(), ctypes.c_size_t()
        stream = library.open_memstream(ctypes.byref(text), ctypes.byref(size))
        if not stream:
            return b""
        library.malloc_info(0, stream)
        library.fclose(stream)
        try:
            return ctypes.string_at(text.value, min(size.value, MOST_TEXT)) if text.value else b""
        finally:
            library.free(text)

    def trim(self) -> Trimmed:
        """``malloc_trim(0)``. Other threads run on; one that wants memory of an arena waits while that is trimmed."""
        trim = self._library.malloc_trim
        trim.restype, trim.argtypes = ctypes.c_int, (ctypes.c_size_t,)
        before = time.perf_counter()
        answer = trim(0)
        return Trimmed(time.perf_counter() - before, bool(answer))


def _open() -> Any:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


def _malloc_of(library: Any) -> str:
    """Whose ``malloc`` the process uses."""
    for function, name in MALLOCS.items():
        if hasattr(library, function):
            return name
    ours = {"", _file_of(library, "malloc_trim"), os.path.basename(sys.executable)}  # noqa: PTH119
    # A program at a fixed address (Debian's 3.14) has entries of its own for the functions whose address it takes.
    for file in (_file_of(library, name) for name in ("malloc", "calloc", "realloc")):
        if file not in ours:
            return file
    if not hasattr(library, "gnu_get_libc_version"):
        return ""
    version = library.gnu_get_libc_version
    version.restype = ctypes.c_char_p
    return f"glibc {(version() or b'').decode(errors='replace')[:20]}"


def _file_of(library: Any, function: str) -> str:
    """The name of the file that a function comes from; empty where that is not known."""
    if not hasattr(library, function) or not hasattr(library, "dladdr"):
        return ""
    found = _DlInfo()
    library.dladdr.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    if not library.dladdr(ctypes.cast(getattr(library, function), ctypes.c_void_p), ctypes.byref(found)):
        return ""
    return os.path.basename(found.fname or b"").decode(errors="replace")[:60]  # noqa: PTH119 - a name, no path
