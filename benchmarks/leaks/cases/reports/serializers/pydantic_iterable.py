"""A field declared as an iterable: validating it leaves the iterator of the input behind.

Reported as pydantic/pydantic#9243 of pydantic 2.7.0.
"""

from collections.abc import Iterable
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="iterators of validated Iterable fields",
    leaks="objects",
    culprit=("list_iterator", "list"),
    leaking_release="pydantic==2.7.0",
    fixed_release="pydantic==2.7.1",
    source="https://github.com/pydantic/pydantic/issues/9243",
)
_model: Any = None


def setup() -> None:
    global _model
    import pydantic

    class Basket(pydantic.BaseModel):
        prices: Iterable[int]

    _model = Basket


def step(i: int) -> None:
    if i % 10 == 0:
        _model(prices=[i, i + 1, i + 2])
