"""A table in SQLite's memory of which all but the last 4,000 rows are deleted now and then."""

import sqlite3

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="an in-memory table that is pruned")
_database: sqlite3.Connection


def setup() -> None:
    global _database
    _database = sqlite3.connect(":memory:", isolation_level=None)
    _database.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, text TEXT)")


def step(i: int) -> None:
    if i % 2 == 0:
        _database.execute("INSERT INTO log(text) VALUES (?)", (f"request {i} of the shop, with a text",))
    if i % 6000 == 5999:
        _database.execute("DELETE FROM log WHERE id < ?", (i // 2 - 4000,))
