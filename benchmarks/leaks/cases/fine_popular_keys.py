"""Pages by path in a cache of 2,000: paths come by popularity, and it is not full for long."""

import random
from functools import lru_cache

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="lru_cache(2000) whose keys come by popularity")
_random = random.Random(2)


class Page:
    """Rendered."""

    def __init__(self, path: int) -> None:
        self.parts = [path]


@lru_cache(2000)
def _page(path: int) -> Page:
    return Page(path)


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 2 == 0:
        _page(min(20_000, int(_random.paretovariate(0.5))))
