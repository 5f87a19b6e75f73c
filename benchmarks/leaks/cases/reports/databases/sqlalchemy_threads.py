"""No leak: a report reads some thousand rows in a thread of its own, which ends; its arena's memory comes back late.

Reported as sqlalchemy/sqlalchemy#8541.
"""

import threading
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="rows read in short-lived threads",
    requires=("sqlalchemy==2.0.36",),
    source="https://github.com/sqlalchemy/sqlalchemy/issues/8541",
)
_traffic = Traffic(74)
_sessions: Any = None
_query: Any = None


def setup() -> None:
    global _sessions, _query
    import sqlalchemy
    from sqlalchemy import orm, pool

    base = orm.declarative_base()
    columns = {
        "id": sqlalchemy.Column(sqlalchemy.Integer, primary_key=True),
        "name": sqlalchemy.Column(sqlalchemy.Text),
    }
    row = type("Row", (base,), {"__tablename__": "row", **columns})
    options = {"poolclass": pool.StaticPool, "connect_args": {"check_same_thread": False}}
    engine = sqlalchemy.create_engine("sqlite://", **options)
    base.metadata.create_all(engine)
    _sessions, _query = orm.sessionmaker(engine), sqlalchemy.select(row)
    with _sessions() as session:
        session.add_all(row(name=f"row {number} " * 20) for number in range(2000))
        session.commit()


def _report(most: int) -> None:
    with _sessions() as session:
        assert session.scalars(_query.limit(most)).all()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 1000 == 0:
        thread = threading.Thread(target=_report, args=(500 + i * 7 % 1500,))
        thread.start()
        thread.join()
