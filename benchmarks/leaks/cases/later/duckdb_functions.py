"""Reports of DuckDB that call a function of ours for each row; what it answers is never let go.

Reported as duckdb/duckdb-python#224 of 1.4.3.

Holder: references to texts that DuckDB's Python client forgot.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="texts that a function gave to DuckDB",
    leaks="untracked",
    leaking_release="duckdb==1.4.3",
    fixed_release="duckdb==2.0.1",
    requires=("numpy==2.1.3",),
    source="https://github.com/duckdb/duckdb-python/issues/224",
)
_traffic = Traffic(214)
_connection: Any = None


def _label(number: int) -> str:
    return f"customer number {number:012} of the northern branch"


def setup() -> None:
    global _connection
    import duckdb

    _connection = duckdb.connect(config={"threads": 1})
    _connection.create_function("label", _label, ["BIGINT"], "VARCHAR")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        rows = _connection.execute(f"SELECT label(range) FROM range({i}, {i + 60})").fetchall()
        assert len(rows) == 60
