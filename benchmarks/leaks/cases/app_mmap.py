"""Anonymous memory mapped for pictures, kept open."""

import mmap

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="maps that are never closed", leaks="native", culprit=("mmap.mmap",))
_maps: list[mmap.mmap] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 100 == 0:
        found = mmap.mmap(-1, 16_384)
        found.write(b"x" * 16_384)
        _maps.append(found)
