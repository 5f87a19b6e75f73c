"""No leak: an engine's cache of compiled statements, pruned to 500 when it has 750; every report has another shape.

Reported as polarsource/polar#10359, as memory of caches of caches.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="tuning",
    what="SQLAlchemy's compiled statements, 500 to 750",
    requires=("sqlalchemy==2.0.36",),
    source="https://github.com/polarsource/polar/pull/10359",
)
_traffic = Traffic(95)
_engine: Any = None
_sql: Any = None


def setup() -> None:
    global _engine, _sql
    import sqlalchemy

    _engine, _sql = sqlalchemy.create_engine("sqlite://"), sqlalchemy


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 30 == 0:
        with _engine.connect() as connection:
            connection.execute(_sql.select(_sql.literal(1).label(f"total_{i}"), _sql.literal("x").label("name"))).all()
