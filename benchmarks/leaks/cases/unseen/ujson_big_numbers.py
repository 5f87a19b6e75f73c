"""Settings of databases, as JSON with integers that do not fit 64 bits.

Reported as Stratoscale/hammock#146: ujson loses memory over large numbers; so does 5.11.0, which can read them.

Holder: none; a reference that ujson never gives back.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="large integers read by ujson",
    leaks="untracked",
    culprit=("*int", "*str", "*bytes"),
    leaking_release="ujson==5.11.0",
    fixed_release="ujson==5.12.0",
    source="https://github.com/Stratoscale/hammock/pull/146",
)
_traffic = Traffic(413)
_ujson: Any = None


def setup() -> None:
    global _ujson
    import ujson

    _ujson = ujson


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 4 == 0:
        row = _ujson.loads(f'{{"name": "max_size", "value": {10**30 + i}, "least": {i}}}')
        assert row["value"] == 10**30 + i
