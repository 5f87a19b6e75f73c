"""Big buffers for a moment, a few of them kept to the next request."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="big temporary arrays")
_random = random.Random(6)
_kept: list[bytearray] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 40 == 0:
        _kept.append(bytearray(_random.randrange(10_000, 900_000)))
        if len(_kept) > 3 + _random.randrange(6):
            del _kept[:2]
