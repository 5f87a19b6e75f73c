"""A pool of threads that starts them as jobs come."""

from concurrent.futures import ThreadPoolExecutor

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="a pool of 12 threads that fills")
_pool = ThreadPoolExecutor(12)


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 50 == 0:
        _pool.submit(pow, i, 2).result()
