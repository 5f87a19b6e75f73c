"""A connection for each job, which is not closed."""

import sqlite3

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="sqlite3 connections that stay open",
    leaks="objects",
    culprit=("sqlite3.Connection",),
)
_open: list[sqlite3.Connection] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 250 == 0:
        connection = sqlite3.connect(":memory:")
        connection.execute("SELECT 1").fetchone()
        _open.append(connection)
