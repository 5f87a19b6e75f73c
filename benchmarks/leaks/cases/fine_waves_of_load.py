"""Requests in flight that follow a load with two peaks."""

import math
from collections import deque

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="requests in flight under a load that rises and falls")


class Flight:
    """A request under way."""

    def __init__(self, number: int) -> None:
        self.number = number


_flying: deque[Flight] = deque()


def setup() -> None:
    pass


def step(i: int) -> None:
    wanted = 4000 + 3500 * math.sin(math.tau * (i / 26_000 - 0.3))
    _flying.append(Flight(i))
    while len(_flying) > wanted:
        _flying.popleft()
