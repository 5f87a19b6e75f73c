"""Answers of some kilobytes kept by request in a dict of an object: few, and big."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="4 to 40 KB of bytes, twenty in 2,000 requests", leaks="untracked")
_random = random.Random(41)


class Store:
    """Of answers."""

    def __init__(self) -> None:
        self.by_request: dict[int, bytes] = {}


_store = Store()


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 40 == 0:
        _store.by_request[i] = bytes(_random.randrange(4000, 40_000))
