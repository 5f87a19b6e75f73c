"""No leak: each request opens SQLite in a with statement, which does not close it.

Reported as python/cpython#123739. A connection is in a cycle with its cache of statements, so that it waits for the
collector with the pages that it read.
"""

import contextlib
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="SQLite connections that are not closed but dropped",
    source="https://github.com/python/cpython/issues/123739",
)
_traffic = Traffic(113)
_folder: Any = None
_file = Path()


def setup() -> None:
    global _folder, _file
    _folder = tempfile.TemporaryDirectory()
    _file = Path(_folder.name) / "shop.sqlite3"
    with contextlib.closing(sqlite3.connect(_file)) as connection, connection:
        connection.execute("CREATE TABLE stock (id INTEGER PRIMARY KEY, value TEXT)")
        connection.executemany(
            "INSERT INTO stock (value) VALUES (?)", [(f"thing {number}" * 5,) for number in range(9000)]
        )


def _request(number: int) -> list[Any]:
    with sqlite3.connect(_file) as connection:
        return connection.execute("SELECT * FROM stock WHERE id > ? LIMIT 200", (number % 8000,)).fetchall()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        assert _request(i)
