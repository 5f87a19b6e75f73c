"""No leak: values written into the statements' text; sqlite3 caches the last 1,500 statements that it prepared.

Reported as ghaering/pysqlite#68: a cache that fills, which its default of then 100 made short.
"""

import sqlite3
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="1,500 statements prepared by sqlite3",
    source="https://github.com/ghaering/pysqlite/issues/68",
)
_traffic = Traffic(111)
_connection: Any = None


def setup() -> None:
    global _connection
    _connection = sqlite3.connect(":memory:", cached_statements=1500)
    _connection.execute("CREATE TABLE stock (id INTEGER, value INTEGER)")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 15 == 0:
        _connection.execute(f"SELECT id, value FROM stock WHERE value = {i} AND id < {i + 7}").fetchall()
