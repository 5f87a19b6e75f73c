"""A type adapter for a recursive model is built in each request; pydantic-core 2.14.5 never frees its validators.

Reported as pydantic/pydantic#8397; pydantic 2.5.3 brings the pydantic-core that fixes it.
"""

from __future__ import annotations

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="TypeAdapter of a list of a recursive model, built by request",
    leaks="native",
    leaking_release="pydantic==2.5.2",
    fixed_release="pydantic==2.5.3",
    source="https://github.com/pydantic/pydantic/issues/8397",
)
_traffic = Traffic(1)
_adapter: Any = None
_type: Any = None


def setup() -> None:
    global _adapter, _type
    import pydantic

    class Category(pydantic.BaseModel):
        name: str
        children: list[Category]

    Category.model_rebuild(_types_namespace={"Category": Category})
    _adapter, _type = pydantic.TypeAdapter, list[Category]


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 25 == 0:
        _adapter(_type).validate_python([{"name": f"shelf {i}", "children": []}])
