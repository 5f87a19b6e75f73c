"""Buffers of C whose number wanders about 400."""

import ctypes
import random
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="malloc and free of a number that wanders")
_random = random.Random(56)
_buffers: list[int] = []
_libc: Any = None
_wanted = 400.0


def setup() -> None:
    global _libc
    _libc = ctypes.CDLL(None)
    _libc.malloc.restype = ctypes.c_void_p
    _libc.malloc.argtypes = [ctypes.c_size_t]
    _libc.free.argtypes = [ctypes.c_void_p]


def step(i: int) -> None:
    global _wanted
    if i % 100 == 0:
        _wanted += -0.05 * (_wanted - 400) + _random.gauss(0, 25)
        while len(_buffers) < _wanted:
            _buffers.append(_libc.malloc(4000))
        while len(_buffers) > max(0.0, _wanted):
            _libc.free(_buffers.pop())
