"""How long the program pauses for a copy of it: the kernel copies an entry for each page of the process's own.

Pages of files and shared memory are not copied, and a huge page has one entry for 512 pages. What the program does and
how its objects are scattered does not matter.
"""

from __future__ import annotations

import os

from memwatch.sampling.procmem import read_bytes

US_PER_PAGE = 0.14
"""CPU of the kernel for each page, in microseconds: measured 0.10 to 0.13 on a heap of 0.1 to 5 million objects."""
LONGEST_MS = 60.0
"""That a copy may be expected to hold the program for, in CPU: a machine that is busy makes it longer, as all else."""
_FIXED_MS = 1.0
_MANY_PAGES = 25_000
"""Of a process that has fewer, the time of a fork says nothing about pages."""

_measured_us = 0.0
"""For each page, at the last copy of this process."""


def too_long() -> str | None:
    """Why no copy is made now, as a part of a sentence; ``None`` where the pause is short enough."""
    pages = pages_copied()
    if expected_ms(pages) > LONGEST_MS:
        pages -= huge_pages()
    expected = expected_ms(pages)
    if expected <= LONGEST_MS:
        return None
    return (
        f"a copy of the process would pause it for about {expected:.0f} ms, {LONGEST_MS:.0f} are allowed "
        f"(it has {pages * _PAGE / 2**20:,.0f} MB of its own)"
    )


def expected_ms(pages: int) -> float:
    """Of the pause for a copy of so many pages."""
    return _FIXED_MS + pages * max(US_PER_PAGE, _measured_us) / 1e3


def measured(cpu_ms: float, pages: int) -> None:
    """Note what a copy of so many pages took: this machine may be slower than others."""
    global _measured_us  # noqa: PLW0603 - of this process, until the next copy
    if pages >= _MANY_PAGES:
        _measured_us = max(0.0, cpu_ms - _FIXED_MS) * 1e3 / pages


def pages_copied(folder: str = "/proc/self") -> int:
    """Pages of the process's own, in memory or swapped out."""
    found = _kib(f"{folder}/status")
    return (found.get(b"RssAnon", found.get(b"VmRSS", 0)) + found.get(b"VmSwap", 0)) * 1024 // _PAGE


def huge_pages(folder: str = "/proc/self") -> int:
    """Those of them that are parts of huge pages. It takes milliseconds per 100 MB, without the interpreter's lock."""
    return _kib(f"{folder}/smaps_rollup").get(b"AnonHugePages", 0) * 1024 // _PAGE


_PAGE = os.sysconf("SC_PAGE_SIZE")


def _kib(path: str) -> dict[bytes, int]:
    """The lines ``Name:  7 kB`` of a file of the kernel's."""
    found: dict[bytes, int] = {}
    for line in (read_bytes(path) or b"").splitlines():
        name, _, rest = line.partition(b":")
        words = rest.split()
        if words[1:] == [b"kB"] and words[0].isdigit():
            found[name] = int(words[0])
    return found
