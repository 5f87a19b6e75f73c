"""No leak: documents validated by schema; each call has a resolver with two caches, in a cycle.

Reported as python-jsonschema/jsonschema#966 of 4.6.0.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="tuning",
    what="resolvers of jsonschema, with their lru_caches",
    requires=("jsonschema==4.6.0",),
    source="https://github.com/python-jsonschema/jsonschema/issues/966",
)
_traffic = Traffic(49)
_jsonschema: Any = None
SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


def setup() -> None:
    global _jsonschema
    import jsonschema

    _jsonschema = jsonschema


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 50 == 0:
        _jsonschema.validate({"number": i}, SCHEMA)
