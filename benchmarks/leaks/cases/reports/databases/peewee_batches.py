"""No leak: rows inserted in batches of growing and falling size, each one statement with all its parameters.

Reported as coleifer/peewee#1619.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="big INSERT statements of peewee",
    requires=("peewee==3.19.0",),
    source="https://github.com/coleifer/peewee/issues/1619",
)
_traffic = Traffic(53)
_row: Any = None


def setup() -> None:
    global _row
    import peewee

    database = peewee.SqliteDatabase(":memory:")
    meta = type("Meta", (), {"database": database})
    _row = type("Row", (peewee.Model,), {"name": peewee.CharField(), "Meta": meta})
    database.create_tables([_row])


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 2000 == 0:
        size = 500 + i * 7 % 5000
        _row.insert_many([{"name": f"row {number}"} for number in range(size)]).execute()
        _row.delete().execute()
