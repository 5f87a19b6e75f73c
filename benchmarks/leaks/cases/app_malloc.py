"""A C library's buffers that are never freed."""

import ctypes
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="malloc without free, through ctypes", leaks="native")
_libc: Any = None


def setup() -> None:
    global _libc
    _libc = ctypes.CDLL(None)
    _libc.malloc.restype = ctypes.c_void_p


def step(i: int) -> None:
    if i % 4 == 0:
        ctypes.memset(_libc.malloc(120), 1, 120)
