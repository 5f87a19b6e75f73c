"""The correlation id of each request in a dict by request, which nobody tidies while a setting is on.

Reported as snok/django-guid#31.
"""

import random

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="correlation ids (texts) by request",
    leaks="untracked",
    culprit=("*.GUIDS", "dict", "untracked"),
    source="https://github.com/snok/django-guid/pull/31",
)
_traffic = Traffic(92)
_random = random.Random(92)
GUIDS: dict[int, str] = {}


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        GUIDS[i] = f"{_random.getrandbits(128):032x}"
