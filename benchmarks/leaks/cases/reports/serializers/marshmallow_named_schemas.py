"""A schema class for each customer's form: marshmallow's registry keeps every class by its name.

Reported as marshmallow-code/marshmallow#660 and #657; the answer was ``Meta.register = False`` (#1079), which this
program does not know.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="schema classes made by forms, in marshmallow's registry",
    leaks="objects",
    culprit=("marshmallow.*", "type", "*SchemaMeta", "*_registry", "*Form*"),
    requires=("marshmallow==3.21.3",),
    source="https://github.com/marshmallow-code/marshmallow/pull/1079",
)
_traffic = Traffic(7)
_marshmallow: Any = None


def setup() -> None:
    global _marshmallow
    import marshmallow

    _marshmallow = marshmallow


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        fields = {"name": _marshmallow.fields.String(), "size": _marshmallow.fields.Integer()}
        schema = type(f"Form{i}Schema", (_marshmallow.Schema,), fields)
        schema().load({"name": "chair", "size": i})
