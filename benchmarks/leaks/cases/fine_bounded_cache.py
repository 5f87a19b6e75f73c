"""A cache of 9,000 results whose keys vary: it fills during the first half."""

import random
from functools import lru_cache

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="lru_cache(maxsize=9000) that fills up")
_random = random.Random(1)


@lru_cache(maxsize=9000)
def _product(number: int) -> dict[str, int]:
    return {"number": number}


def setup() -> None:
    pass


def step(i: int) -> None:
    _product(_random.randrange(60_000))
