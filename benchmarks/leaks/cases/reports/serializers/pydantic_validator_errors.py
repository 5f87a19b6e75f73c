"""A validation error that is kept in a local variable and raised later: its traceback leads back to it.

Reported as dapper91/pydantic-xml#222, which found pydantic to be the cause: an error of a field validator stays
referenced, so that no collection frees its traceback and frames. It is so in 2.12.5 too.
"""

import contextlib
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="errors of a pydantic field validator, with their frames",
    leaks="objects",
    culprit=("traceback", "frame", "ValueError", "*ValidationError"),
    requires=("pydantic==2.9.2",),
    source="https://github.com/dapper91/pydantic-xml/issues/222",
)
_model: Any = None
_error: Any = None


def _two_letters(value: str) -> str:
    if len(value) != 2:
        raise ValueError("a country has two letters")
    return value


def setup() -> None:
    global _model, _error
    import pydantic

    class Address(pydantic.BaseModel):
        country: str

        two_letters = pydantic.field_validator("country")(_two_letters)

    _model, _error = Address, pydantic.ValidationError


def _address(country: str) -> Any:
    failed = None
    try:
        return _model(country=country)
    except _error as error:
        failed = error
    raise failed


def step(i: int) -> None:
    if i % 20 == 0:
        with contextlib.suppress(_error):
            _address(f"country {i}")
