"""The collector off during an import of cyclic rows, then on again."""

import gc

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="gc.disable() for a while")


class Node:
    """In a cycle."""

    def __init__(self) -> None:
        self.me = self


def setup() -> None:
    pass


def step(i: int) -> None:
    Node()
    if i % 30_000 == 8000:
        gc.disable()
    if i % 30_000 == 24_000:
        gc.enable()
        gc.collect()
