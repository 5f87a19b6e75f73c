"""Which frames allocated an object, as tracemalloc remembers it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

_HAS_COLLECTOR_HEAD = 1 << 14
_HAS_MANAGED_DICT = 1 << 4
_flags_of = type.__dict__["__flags__"].__get__


def reader_of(classes: Sequence[type]) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """A function that turns instances of these classes into tracebacks, lazily and in C; ``None`` where not traced.

    CPython 3.11 looks for instances with an ordinary ``__dict__`` 16 bytes beside where they begin, and so finds no
    traceback: there the memory's own is asked for.
    """
    import _tracemalloc  # noqa: PLC0415 - only where somebody traces

    flags = _flags_of(classes[0]) if classes else 0
    if sys.version_info >= (3, 12) or not flags & _HAS_MANAGED_DICT:
        return lambda objects: map(_tracemalloc._get_object_traceback, objects)
    import ctypes  # noqa: PLC0415

    read = ctypes.pythonapi._PyTraceMalloc_GetTraceback
    read.restype, read.argtypes = ctypes.py_object, (ctypes.c_uint, ctypes.c_size_t)
    before = -32 if flags & _HAS_COLLECTOR_HEAD else -16
    return lambda objects: map(read, repeat(0), map(before.__add__, map(id, objects)))
