"""No leak: ``schema()`` of a dataclass makes a schema class at each call, and drops it.

Reported as lidatong/dataclasses-json#26. That was so with marshmallow of 2018; since 3.0.0rc1 its registry replaces a
class of the same name. The classes are cyclic, so that they wait for the collector.
"""

from dataclasses import dataclass
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="schema classes of dataclasses-json, made and dropped",
    requires=("dataclasses-json==0.6.7", "marshmallow==3.21.3"),
    source="https://github.com/lidatong/dataclasses-json/pull/26",
)
_traffic = Traffic(8)
_order: Any = None


def setup() -> None:
    global _order
    from dataclasses_json import dataclass_json

    @dataclass_json
    @dataclass
    class Order:
        number: int
        note: str

    _order = Order


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _order.schema().loads(f'{{"number": {i}, "note": "by post"}}')
