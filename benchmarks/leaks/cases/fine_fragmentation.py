"""Texts of many sizes in a bounded cache that is replaced at random."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="fragmentation by texts of many sizes")
_random = random.Random(4)
_texts: dict[int, str] = {}


def setup() -> None:
    for n in range(3000):
        _texts[n] = "x" * _random.randrange(20, 3000)


def step(i: int) -> None:
    _texts[_random.randrange(3000)] = "x" * _random.randrange(20, 3000)
