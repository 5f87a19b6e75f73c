"""3,000 leads at the start, some 150 open at a time, two in a hundred more with each snapshot."""

import random

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring", what="a leak of 2 % a snapshot under coming and going", leaks="objects", culprit=("*.Lead",)
)
_random = random.Random(43)


class Lead:
    """Of a customer."""

    def __init__(self, number: int) -> None:
        self.number = number


_kept: list[Lead] = []
_open: list[Lead] = []


def setup() -> None:
    _kept.extend(Lead(number) for number in range(3000))


def step(i: int) -> None:
    if i % 33 == 0:
        _kept.append(Lead(i))
    if i % 10 == 0:
        wanted = int(max(0, _random.gauss(150, 40)))
        _open.extend(Lead(i) for _ in range(wanted - len(_open)))
        del _open[wanted:]
