"""Reports as tables, whose cells' addresses go through a function with an unlimited cache.

Reported as InvestmentSystems/table-compositor#8, and written after it: each sheet has its name in the key.

Holder: the cache of ``_range_string``, in C.
"""

import functools

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="addresses of cells in an unlimited cache",
    leaks="untracked",
    culprit=("*str", "*tuple", "*_range_string*", "*_lru_cache_wrapper*"),
    holder=("*_range_string*", "*lru_cache*"),
    source="https://github.com/InvestmentSystems/table-compositor/pull/8",
)
_traffic = Traffic(415)


@functools.cache
def _range_string(sheet: str, row: int, column: int) -> str:
    return f"'{sheet}'!${chr(65 + column)}${row + 1}"


def setup() -> None:
    """Nothing."""


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        cells = [_range_string(f"order {i}", number // 5, number % 5) for number in range(20)]
        assert len(set(cells)) == 20
