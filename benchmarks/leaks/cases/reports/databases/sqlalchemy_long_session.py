"""No leak: one session for a long job, which reads rows by their number; it refers to them weakly.

Reported as sqlalchemy/sqlalchemy#4616.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="rows in the identity map of a session",
    requires=("sqlalchemy==2.0.36",),
    source="https://github.com/sqlalchemy/sqlalchemy/issues/4616",
)
_traffic = Traffic(73)
_session: Any = None
_row: Any = None
_recent: list[Any] = [None] * 300


def setup() -> None:
    global _session, _row
    import sqlalchemy
    from sqlalchemy import orm

    base = orm.declarative_base()
    columns = {
        "id": sqlalchemy.Column(sqlalchemy.Integer, primary_key=True),
        "name": sqlalchemy.Column(sqlalchemy.Text),
    }
    _row = type("Row", (base,), {"__tablename__": "row", **columns})
    engine = sqlalchemy.create_engine("sqlite://")
    base.metadata.create_all(engine)
    _session = orm.Session(engine)
    _session.add_all(_row(name=f"row {number}") for number in range(1, 4001))
    _session.commit()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _recent[i // 20 % 300] = _session.get(_row, 1 + i * 7 % 4000)
