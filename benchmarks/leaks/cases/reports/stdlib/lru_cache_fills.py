"""No leak: results of a calculation in an ``lru_cache`` of 12,000, which is full after a while.

Reported as python/cpython#148459.
"""

from functools import lru_cache

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="lists in an lru_cache of 12,000",
    source="https://github.com/python/cpython/issues/148459",
)
_traffic = Traffic(67)


@lru_cache(maxsize=12_000)
def _factors(number: int) -> list[int]:
    return [divisor for divisor in (2, 3, 5, 7, 11, 13) if number % divisor == 0]


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 2 == 0:
        _factors(i)
        _factors(max(0, i - 2000))
