"""Classes made per configuration, of which there are 150, and kept."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="150 classes made when first asked for")
_random = random.Random(32)
_made: dict[int, type] = {}


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 25 == 0:
        number = _random.randrange(150)
        if number not in _made:
            _made[number] = type(f"Form{number}", (), {"fields": {str(n): [n] for n in range(8)}})
        _made[number]()
