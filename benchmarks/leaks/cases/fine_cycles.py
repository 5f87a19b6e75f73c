"""Requests that leave cycles, which the collector takes in its own time."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="cyclic garbage that waits for full collections")
_random = random.Random(3)
_recent: list[object] = []


class View:
    """Refers to its request, which refers to it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.request = {"view": self, "rows": [[number] for _ in range(5)]}


def setup() -> None:
    pass


def step(i: int) -> None:
    _recent.append(View(i))
    if len(_recent) > 40:
        del _recent[_random.randrange(20)]
