"""Documents parsed, changed and written, of ever other sizes."""

import json
import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="JSON documents of many sizes")
_random = random.Random(22)
_last: list[object] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 20 == 0:
        rows = [{"number": n, "name": f"row {n}", "tags": ["a", str(n)]} for n in range(_random.randrange(400))]
        _last[:] = [json.loads(json.dumps(rows))]
