"""No leak: a schema of marshmallow made for each answer; schema and fields know each other, and wait for the collector.

Reported as marshmallow-code/marshmallow#1943.

Holder: nothing; garbage of schemas, fields and what they were given.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="schemas of marshmallow, one an answer",
    requires=("marshmallow==3.21.3",),
    source="https://github.com/marshmallow-code/marshmallow/issues/1943",
)
_traffic = Traffic(244)
_Schema: Any = None


def setup() -> None:
    global _Schema
    import marshmallow

    class Artist(marshmallow.Schema):
        """What the answer holds."""

        name = marshmallow.fields.Str()
        songs = marshmallow.fields.List(marshmallow.fields.Int(), validate=marshmallow.validate.Length(max=50))

    _Schema = Artist


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 25 == 0:
        schema = _Schema(context={"request": "x" * 2000, "number": i})
        assert len(schema.dumps({"name": f"artist {i}", "songs": list(range(i % 40))})) > 20
