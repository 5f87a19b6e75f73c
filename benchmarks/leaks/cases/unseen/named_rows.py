"""No leak: rows of SQLite as named tuples, with a class made for each query.

Reported as psycopg/psycopg2#981 of its own named tuples, after which connections stayed open, and written after it.

Holder: cycles of a class and its attributes, until the next collection.
"""

import sqlite3
from collections import namedtuple
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="classes of rows that wait for the collector",
    source="https://github.com/psycopg/psycopg2/issues/981",
)
_traffic = Traffic(424)
_connection: sqlite3.Connection
_QUERIES = ("id, name", "id, price", "name, price", "id, name, price")


def setup() -> None:
    global _connection
    _connection = sqlite3.connect(":memory:")
    _connection.execute("create table article (id integer, name text, price integer)")
    _connection.executemany("insert into article values (?, ?, ?)", ((n, f"article {n}", n % 90) for n in range(60)))


class NamedCursor(sqlite3.Cursor):
    """Gives named tuples."""

    def named(self) -> list[Any]:
        """All rows."""
        Record = namedtuple("Record", [column[0] for column in self.description])
        return [Record(*row) for row in self]


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 50 == 0:
        cursor = _connection.cursor(NamedCursor)
        cursor.execute(f"select {_QUERIES[i // 50 % 4]} from article where price < ?", (i % 90,))
        assert all(row._fields for row in cursor.named())
