"""No leak: sessions in a persistent map of pyrsistent, of which as many end as begin once there are 400.

Reported as tobgu/pyrsistent#324: an emptied bucket stays as an empty list.

Holder: the buckets of the map, whose number is that of its greatest size.
"""

import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="sessions in a persistent map",
    requires=("pyrsistent==0.20.0",),
    source="https://github.com/tobgu/pyrsistent/issues/324",
)
_traffic = Traffic(425)
_random = random.Random(425)
_sessions: Any = None
_open: list[int] = []
MOST = 400


class Session:
    """Of a user."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pages = [f"/page/{number % 13}"]


def setup() -> None:
    global _sessions
    from pyrsistent import pmap

    _sessions = pmap()


def step(i: int) -> None:
    global _sessions
    _traffic.tick(i)
    if i % 8 == 0:
        _sessions = _sessions.set(i, Session(i))
        _open.append(i)
        if len(_open) > MOST:
            _sessions = _sessions.discard(_open.pop(_random.randrange(len(_open))))
