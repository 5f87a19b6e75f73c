"""Sessions that come and go at random, about 2,500 of them after the first quarter."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="sessions with random lives")
_random = random.Random(23)


class Session:
    """Of a visitor."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.basket: dict[str, int] = {}


_sessions: dict[int, Session] = {}


def setup() -> None:
    pass


def step(i: int) -> None:
    _sessions[i] = Session(i)
    gone = i - int(_random.expovariate(1 / 2500))
    _sessions.pop(gone, None)
    _sessions.pop(i - 9000, None)
