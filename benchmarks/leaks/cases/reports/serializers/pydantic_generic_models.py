"""No leak: a parametrised generic model is made in each request; pydantic keeps such classes in weak caches.

Reported as pydantic/pydantic#6672; the classes are cyclic, so that they wait for the collector.
"""

from typing import Any, Generic, TypeVar

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="tuning",
    what="parametrised generic models, made and dropped",
    requires=("pydantic==2.9.2",),
    source="https://github.com/pydantic/pydantic/issues/6672",
)
_traffic = Traffic(28)
_pydantic: Any = None
Item = TypeVar("Item")


def setup() -> None:
    global _pydantic
    import pydantic

    _pydantic = pydantic


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        row = _pydantic.create_model(f"Row{i}", number=(int, ...))

        class Page(_pydantic.BaseModel, Generic[Item]):
            items: list[Item]

        Page.__class_getitem__(row)(items=[{"number": i}])
