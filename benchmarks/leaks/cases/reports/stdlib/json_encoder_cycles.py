"""No leak: pages of JSON with an indent; each call of the encoder makes closures in a cycle.

Reported as python/cpython#141686.
"""

import json

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="closures of json's encoder",
    source="https://github.com/python/cpython/issues/141686",
)
_traffic = Traffic(45)


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        json.dumps({"number": i, "lines": [{"price": i, "text": "x" * 100}]}, indent=1)
