"""Connections opened when all are in use: as many as were ever needed at once."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="a pool of the most ever used")
_random = random.Random(11)


class Connection:
    """Used again."""

    def __init__(self) -> None:
        self.buffer = [0] * 16


_pool: list[Connection] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 10 == 0:
        needed = int(60 * _random.betavariate(2, 5) + 12 * _random.random())
        while len(_pool) < needed * 12:
            _pool.append(Connection())
