"""A debug toolbar notes each statement of an engine until the request ends; in a script no request ever ends.

Reported as Pylons/pyramid_debugtoolbar#51.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="statements noted by an event of SQLAlchemy",
    leaks="objects",
    culprit=("*.Query", "list", "*.QUERIES", "dict"),
    requires=("sqlalchemy==2.0.36",),
    source="https://github.com/Pylons/pyramid_debugtoolbar/issues/51",
)
_traffic = Traffic(94)
_engine: Any = None
_sql: Any = None


class Query:
    """That was run."""

    def __init__(self, statement: str, parameters: Any) -> None:
        self.statement = statement
        self.parameters = parameters


QUERIES: list[Query] = []


def setup() -> None:
    global _engine, _sql
    import sqlalchemy

    _engine, _sql = sqlalchemy.create_engine("sqlite://"), sqlalchemy

    def _note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        QUERIES.append(Query(statement, parameters))

    sqlalchemy.event.listen(_engine, "after_cursor_execute", _note)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        with _engine.connect() as connection:
            assert connection.scalar(_sql.select(_sql.literal(i))) == i
