"""A parser of C whose handle is lost: expat's, created by its C API and never freed."""

import ctypes
import ctypes.util
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="zlib streams that are initialised and never ended", leaks="native")
_libz: Any = None
_SIZE = 112


def setup() -> None:
    global _libz
    import zlib  # noqa: F401 - loads libz

    _libz = ctypes.CDLL(ctypes.util.find_library("z") or "libz.so.1")


def step(i: int) -> None:
    if i % 200 == 0:
        stream = ctypes.create_string_buffer(_SIZE)
        _libz.inflateInit_(stream, b"1.2.11", _SIZE)
