"""What 400 users looked at, in a list for each: none is big, all of them grow."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="floats in 400 lists", leaks="untracked")
_random = random.Random(46)
_histories: list[list[float]] = [[] for _ in range(400)]


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 2 == 0:
        _histories[_random.randrange(400)].append(i * 1.5)
