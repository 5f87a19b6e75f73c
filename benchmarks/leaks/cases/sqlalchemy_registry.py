"""A mapped class made for each tenant, and disposed of."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="SQLAlchemy's markers of modules with mapped classes",
    leaks="objects",
    culprit=("sqlalchemy.orm.clsregistry._ModuleMarker",),
    leaking_release="sqlalchemy==2.0.32",
    fixed_release="sqlalchemy==2.0.33",
    source="https://github.com/sqlalchemy/sqlalchemy/issues/11788",
)
_orm: Any = None
_sql: Any = None


def setup() -> None:
    global _orm, _sql
    import sqlalchemy
    from sqlalchemy import orm

    _sql, _orm = sqlalchemy, orm


def step(i: int) -> None:
    if i % 50:
        return
    registry = _orm.registry()
    key = _sql.Column(_sql.Integer, primary_key=True)
    type("Row", (registry.generate_base(),), {"__tablename__": "row", "id": key, "__module__": f"tenant{i}.models"})
    registry.dispose()
