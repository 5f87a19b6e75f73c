"""No leak: a bounded ``lru_cache`` by model class, in a service that makes a class for each connected tool.

Reported as NVIDIA/NeMo-Agent-Toolkit#2117: the cache keeps the last 128 classes alive; those it drops are cyclic.
"""

from functools import lru_cache
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="tuning",
    what="the last 128 dynamic models in an lru_cache",
    requires=("pydantic==2.9.2",),
    source="https://github.com/NVIDIA/NeMo-Agent-Toolkit/issues/2117",
)
_traffic = Traffic(91)
_create: Any = None


def setup() -> None:
    global _create
    import pydantic

    _create = pydantic.create_model


@lru_cache(maxsize=128)
def _title(model: type) -> str:
    return model.__name__.replace("_", " ")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 150 == 0:
        model = _create(f"Tool_{i}", text=(str, ...), limit=(int, 10))
        assert _title(model)
        assert model(text="x").limit == 10
