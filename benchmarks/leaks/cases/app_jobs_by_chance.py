"""Failed jobs kept "for the report": they fail by chance, one in eighty."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="a leak at irregular times", leaks="objects", culprit=("*.FailedJob",))
_random = random.Random(44)


class FailedJob:
    """And why."""

    def __init__(self, number: int) -> None:
        self.why = [number]


_failed: list[FailedJob] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if _random.random() < 0.012:
        _failed.append(FailedJob(i))
