"""No leak: an engine for each job, with the same mapped class; the mapper caches its statements by dialect.

Reported as sqlalchemy/sqlalchemy#4560. The cache is pruned at 150 entries, but until then it keeps the dialects.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="a mapper's statements for many engines",
    requires=("sqlalchemy==2.0.36",),
    source="https://github.com/sqlalchemy/sqlalchemy/issues/4560",
)
_traffic = Traffic(25)
_sql: Any = None
_orm: Any = None
_base: Any = None
_row: Any = None


def setup() -> None:
    global _sql, _orm, _base, _row
    import sqlalchemy
    from sqlalchemy import orm

    _sql, _orm = sqlalchemy, orm
    _base = orm.declarative_base()
    columns = {
        "id": sqlalchemy.Column(sqlalchemy.Integer, primary_key=True),
        "name": sqlalchemy.Column(sqlalchemy.Text),
    }
    _row = type("Row", (_base,), {"__tablename__": "row", **columns})


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        engine = _sql.create_engine("sqlite://")
        _base.metadata.create_all(engine)
        with _orm.Session(engine) as session:
            session.add(_row(name=f"job {i}"))
            session.commit()
        engine.dispose()
