"""A busy view of which one request in forty keeps a small object, among many that come and go."""

import random

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="a slow leak under churn",
    leaks="objects",
    culprit=("*.Session",),
)


class Session:
    """Of a visitor."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.basket = [number]


KEPT: list[Session] = []
_passing: list[object] = []
_random = random.Random(5)


def setup() -> None:
    KEPT.extend(Session(n) for n in range(200))


def step(i: int) -> None:
    _passing.append([{"a": i}, (i, str(i)), Session(i)])
    if _random.random() < 0.003:
        del _passing[:]
    if i % 40 == 0:
        KEPT.append(Session(i))
