"""Packing in the copy, where zlib can be called without letting go of the interpreter.

Python's own zlib lets go of it, which a copy must not. The library behind it is called through :class:`ctypes.PyDLL`.
Where it is not loaded by itself, as in a Python that has it built in, the process packs what the copy sends.
"""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

from memwatch.heapdump.format import FRAME, MAX_PACKED, MAX_SECTION, Section, checked


class Library:
    """zlib's C functions."""

    def __init__(self) -> None:
        found = ctypes.PyDLL("libz.so.1", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        unsigned = ctypes.c_ulong
        self._compress: Any = found.compress2
        self._compress.argtypes = [ctypes.c_char_p, ctypes.POINTER(unsigned), ctypes.c_char_p, unsigned, ctypes.c_int]
        self._bound: Any = found.compressBound
        self._crc: Any = found.crc32
        self._bound.argtypes, self._crc.argtypes = [unsigned], [unsigned, ctypes.c_char_p, ctypes.c_uint]
        self._bound.restype = self._crc.restype = unsigned
        if self._bound(MAX_SECTION) > MAX_PACKED:
            raise OSError("zlib asks for more room than a section may have")
        self._to: Any = None

    def packed(self, section: Section, content: bytes) -> tuple[bytes, bytes]:
        """As :func:`~memwatch.heapdump.format.packed`."""
        checked(section, content)
        if self._to is None:
            self._to = ctypes.create_string_buffer(MAX_PACKED)
        length = ctypes.c_ulong(MAX_PACKED)
        if self._compress(self._to, ctypes.byref(length), content, len(content), 1):
            raise MemoryError("zlib has no memory")
        small = ctypes.string_at(self._to, length.value)
        return FRAME.pack(section.value, len(small), len(content), self._crc(0, content, len(content))), small


@functools.cache
def library() -> Library | None:
    """Loaded once, before the first fork."""
    try:
        return Library()
    except (OSError, AttributeError):
        return None
