"""Answers that hold what cannot be serialised."""

import contextlib
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="an exception raised in orjson's default",
    leaks="objects",
    culprit=("traceback", "frame", "ValueError", "Unknown"),
    leaking_release="orjson==3.9.0",
    fixed_release="orjson==3.9.1",
    source="https://github.com/ijl/orjson/blob/master/CHANGELOG.md",
)
_orjson: Any = None


class Unknown:
    """Of a kind that JSON does not know."""


def _default(_value: object) -> object:
    raise ValueError("cannot be serialised")


def setup() -> None:
    global _orjson
    import orjson

    _orjson = orjson


def step(i: int) -> None:
    with contextlib.suppress(TypeError):
        _orjson.dumps({"number": i, "value": Unknown()}, default=_default)
