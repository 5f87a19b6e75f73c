"""A queue that fills faster than it is emptied at times, and drains."""

import random
from collections import deque

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="a job queue with bursts")
_random = random.Random(9)


class Job:
    """To be done."""

    def __init__(self, number: int) -> None:
        self.number = number


_jobs: deque[Job] = deque()
_burst = [0]


def setup() -> None:
    pass


def step(i: int) -> None:
    if _random.random() < 0.00008:
        _burst[0] = _random.randrange(500, 4000)
    for _ in range(2 if _burst[0] else 1):
        _jobs.append(Job(i))
    _burst[0] = max(0, _burst[0] - 1)
    for _ in range(min(len(_jobs), 1 + (i % 3 == 0))):
        _jobs.popleft()
