"""API descriptions uploaded by customers and checked: an unbounded cache on a method keeps every validator.

Reported as python-openapi/openapi-spec-validator#523.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="validators and descriptions in a cache of a method",
    leaks="objects",
    culprit=("openapi_spec_validator.*", "jsonschema*", "dict", "*SpecValidator", "*SchemaPath"),
    requires=("openapi-spec-validator==0.7.1",),
    source="https://github.com/python-openapi/openapi-spec-validator/issues/523",
)
_traffic = Traffic(51)
_validate: Any = None


def setup() -> None:
    global _validate
    from openapi_spec_validator import validate

    _validate = validate


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        _validate(
            {"openapi": "3.0.0", "info": {"title": f"shop {i}", "version": "1.0"}, "paths": {}, "x-text": "x" * 5000}
        )
