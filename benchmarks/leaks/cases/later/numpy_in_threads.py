"""No leak: arrays of NumPy that four threads make and drop; each thread has a heap of its own that keeps its room.

Reported as dask/dask#3530: with ``MALLOC_ARENA_MAX=1`` the memory went back.

Holder: the C library's heaps ("arenas"), which reach the most that each thread once used.
"""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="arrays made and dropped in four threads",
    requires=("numpy==2.1.3",),
    source="https://github.com/dask/dask/issues/3530",
)
_traffic = Traffic(236)
_random = random.Random(236)
_numpy: Any = None
_threads = ThreadPoolExecutor(4)


def setup() -> None:
    global _numpy
    import numpy

    _numpy = numpy


def _total(sizes: list[int]) -> float:
    parts = [_numpy.ones(size) for size in sizes]
    return float(sum(part.sum() for part in parts))


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 250 == 0:
        counts = [min(300, int(20 * _random.paretovariate(1.3))) for _ in range(4)]
        jobs = [[_random.randint(100, 12_000) for _ in range(count)] for count in counts]
        assert list(_threads.map(_total, jobs)) == [sum(sizes) for sizes in jobs]
