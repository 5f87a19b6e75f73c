"""An ``lru_cache`` of 200 powers: it is full soon, but each new number is longer than those before.

Reported as python/cpython#148459; the cache is bounded, its values are not.
"""

from functools import lru_cache

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="ever longer integers in a full lru_cache",
    leaks="untracked",
    culprit=("untracked", "native", "*._power"),
    source="https://github.com/python/cpython/issues/148459",
)
_traffic = Traffic(68)


@lru_cache(maxsize=200)
def _power(exponent: int) -> int:
    return 1 << (exponent * 4)


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _power(i)
