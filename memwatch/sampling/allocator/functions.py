"""The allocators asked by ctypes: where the compiled part is not installed."""

from __future__ import annotations

import ctypes


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


_OTHER_MALLOCS = ("mallctl", "tc_version", "mi_version")
"""Functions of jemalloc, tcmalloc and mimalloc: where one is loaded, glibc's figures say nothing."""


class AllocatorFunctions:
    """Made once. Takes another library for tests."""

    def __init__(self, library: ctypes.PyDLL | None = None) -> None:
        self._library = _open() if library is None else library
        self._mallinfo2 = None if self._library is None else _find_mallinfo2(self._library)
        self._has_stream = self._library is not None and _prepare_stream(self._library)

    def pymalloc_text(self) -> bytes | None:
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

    def malloc_bytes(self) -> tuple[int, int] | None:
        """Bytes in use and taken from the system; ``None`` without glibc's malloc."""
        if self._mallinfo2 is None:
            return None
        info = self._mallinfo2()
        return info.uordblks + info.hblkhd, info.arena + info.hblkhd


def _open() -> ctypes.PyDLL | None:
    try:
        return ctypes.PyDLL(None)
    except (OSError, TypeError):
        return None


def _find_mallinfo2(library: ctypes.PyDLL) -> ctypes._NamedFuncPointer | None:
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
