"""Objects for which ``default`` returns a text with letters outside ASCII: the text is never released.

Reported as ultrajson/ultrajson#631.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="texts returned to ujson by default",
    leaks="untracked",
    leaking_release="ujson==5.12.0",
    fixed_release="ujson==5.12.1",
    source="https://github.com/ultrajson/ultrajson/issues/631",
)
_traffic = Traffic(5)
_dumps: Any = None


class Amount:
    """Of money."""

    def __init__(self, cents: int) -> None:
        self.cents = cents


def setup() -> None:
    global _dumps
    import ujson

    _dumps = ujson.dumps


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        _dumps({"price": Amount(i)}, default=lambda amount: f"{amount.cents} €, Größe {'ü' * 60}")
