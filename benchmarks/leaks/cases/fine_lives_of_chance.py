"""Sessions that come by chance and stay for lognormal times: most are short, some are long."""

import heapq
import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="sessions of lognormal length")
_random = random.Random(53)


class Session:
    """Of a visitor."""

    def __init__(self, number: int) -> None:
        self.number = number


_open: list[tuple[float, int, Session]] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if _random.random() < 0.3:
        heapq.heappush(_open, (i + _random.lognormvariate(7.3, 0.8), i, Session(i)))
    while _open and _open[0][0] <= i:
        heapq.heappop(_open)
