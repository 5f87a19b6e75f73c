"""A ``Retort`` for each import job: the sources of the loaders it compiles stay in ``linecache``.

Reported as reagento/adaptix#461.
"""

from dataclasses import dataclass
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="generated sources in linecache",
    leaks="untracked",
    culprit=("tuple", "list", "linecache.cache", "*.cache", "untracked"),
    requires=("adaptix==3.0.0b11",),
    source="https://github.com/reagento/adaptix/issues/461",
)
_traffic = Traffic(79)
_retort: Any = None


@dataclass
class Order:
    """A row of the import."""

    number: int
    note: str


def setup() -> None:
    global _retort
    from adaptix import Retort

    _retort = Retort


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        assert _retort().load({"number": i, "note": "by post"}, Order).number == i
