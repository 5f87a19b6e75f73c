"""Memory that no object and no block shows: what the C library has in use, what is mapped beside it, what is touched.

A library may map memory itself, as greenlets, JIT compilers and allocators of its own do; and it may take pools of
growing size, which make stairs of the C library's figure, while the kernel gives it their pages one by one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from memwatch.pytest_plugin import counting
from memwatch.sampling.allocator import Allocators, own_source

_STATM = "/proc/self/statm"
_RESIDENT, _SHARED, _DATA = 1, 2, 5
"""Pages of its columns (proc(5)): resident; of these backed by files; private and writable."""
_KIB = 1024.0

Reader = Callable[[], float | None]
"""KiB; ``None`` where the platform does not tell."""


class SystemMemory(NamedTuple):
    """In KiB, each ``None`` where the platform does not tell."""

    malloc: float | None = None
    """The C library's memory in use."""
    mapped: float | None = None
    """Private and writable memory that neither it nor Python's allocator has taken from the system."""
    touched: float | None = None
    """Such memory that is resident, without what Python's allocator has in use."""


class SystemMemoryReader:
    """Reads all three. It never raises."""

    def __init__(self) -> None:
        self._allocators = Allocators()

    def read(self) -> SystemMemory:
        """Takes up to a millisecond."""
        figures = self._allocators.read()
        if figures.malloc_used_mb is None or figures.malloc_committed_mb is None:
            return SystemMemory()
        malloc, pages = figures.malloc_used_mb * _KIB, _pages()
        small = 0.0 if figures.pymalloc_off else figures.pymalloc_committed_mb
        if pages is None or small is None:
            return SystemMemory(malloc)
        mapped = _kib(pages[_DATA]) - (figures.malloc_committed_mb + small) * _KIB
        return SystemMemory(malloc, mapped, _private(pages) - (figures.pymalloc_used_mb or 0.0) * _KIB)


def malloc_reader() -> Reader:
    """The C library's memory in use."""
    read = own_source().malloc_bytes

    def malloc_kib() -> float | None:
        found = read()
        return None if found is None else found[0] / _KIB

    return malloc_kib


def data_kib() -> float | None:
    """All private and writable memory, touched or not."""
    pages = _pages()
    return None if pages is None else _kib(pages[_DATA])


def private_kib() -> float | None:
    """Resident memory that no file backs."""
    pages = _pages()
    return None if pages is None else _private(pages)


def _private(pages: list[int]) -> float:
    return _kib(pages[_RESIDENT] - pages[_SHARED])


def _pages() -> list[int] | None:
    try:
        found = [int(each) for each in counting.contents(_STATM, 200).split()]
    except (OSError, ValueError):
        return None
    return found if len(found) > _DATA else None


def _kib(pages: int) -> float:
    return pages * os.sysconf("SC_PAGE_SIZE") / _KIB
