"""Rows of SQLite that a small async driver converts by the columns' types; ``count(*)`` makes a new type each time.

Reported as encode/databases#272, and written after it.

Holder: ``Dialect.result_processors``, a dict of functions by type.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="converters by a column's type",
    leaks="objects",
    culprit=("*Number", "*.result_processors", "*Dialect", "*function", "*cell"),
    holder=("*result_processors*",),
    source="https://github.com/encode/databases/issues/272",
)
_traffic = Traffic(314)


class Number:
    """The type of a column."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def processor(self) -> Callable[[Any], float]:
        """What makes a value of what the driver gave."""
        return lambda raw: round(float(raw), self.digits)


class Count:
    """A call of the database's function, whose type it makes."""

    def __init__(self, table: str) -> None:
        self.sql = f"select count(*) from {table}"
        self.type = Number(0)


class Dialect:
    """How the driver talks to SQLite."""

    def __init__(self) -> None:
        self.result_processors: dict[Number, Callable[[Any], float]] = {}

    def converted(self, raw: Any, kind: Number) -> float:
        """Looked up, since to make a converter takes long."""
        if kind not in self.result_processors:
            self.result_processors[kind] = kind.processor()
        return self.result_processors[kind](raw)


_dialect = Dialect()
_connection: Any = None


def setup() -> None:
    global _connection
    _connection = sqlite3.connect(":memory:")
    _connection.execute("create table orders (id integer)")
    _connection.execute("insert into orders values (1), (2), (3)")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        count = Count("orders")
        (raw,) = _connection.execute(count.sql).fetchone()
        assert _dialect.converted(raw, count.type) == 3
