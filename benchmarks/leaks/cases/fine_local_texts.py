"""Answers cached as texts by page and language, bounded by their number."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="8,000 rendered texts by page and language")
_random = random.Random(8)
RENDERED: dict[str, str] = {}


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 2 == 0:
        key = f"page{_random.randrange(4000)}-{_random.choice(('de', 'en'))}"
        if key not in RENDERED:
            RENDERED[key] = f"<h1>{key}</h1>" * 8
