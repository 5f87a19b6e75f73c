"""Texts duplicated by C's strdup, and never freed."""

import ctypes
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="strdup without free", leaks="native")
_libc: Any = None


def setup() -> None:
    global _libc
    _libc = ctypes.CDLL(None)
    _libc.strdup.restype = ctypes.c_void_p


def step(i: int) -> None:
    if i % 10 == 0:
        _libc.strdup(b"a line of the order %d" % i * (10 + i % 15))
