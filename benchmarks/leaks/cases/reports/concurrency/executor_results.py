"""No leak: results of some hundred kilobytes from a pool of threads; the threads' arenas keep what they took.

Reported as python/cpython#98467.
"""

import random
from concurrent.futures import ThreadPoolExecutor

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="lists made in executors of 8 threads that are shut down",
    source="https://github.com/python/cpython/issues/98467",
)
_traffic = Traffic(46)
_random = random.Random(46)


def setup() -> None:
    pass


def _rows(count: int) -> list[bytes]:
    return [b"x" * (600 + number % 700) for number in range(count)]


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 500 == 0:
        with ThreadPoolExecutor(8) as pool:
            for rows in pool.map(_rows, [_random.randrange(100, 900) for _ in range(16)]):
                assert rows
