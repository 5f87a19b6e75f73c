"""No leak: tables of Arrow made of rows, and dropped; Arrow's own allocator keeps what they took, and uses it again.

Reported as apache/arrow#36100.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="Arrow tables of many sizes, made and dropped",
    requires=("pyarrow==18.1.0",),
    source="https://github.com/apache/arrow/issues/36100",
)
_traffic = Traffic(43)
_arrow: Any = None


def setup() -> None:
    global _arrow
    import pyarrow

    _arrow = pyarrow


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        rows = [{"number": number, "name": f"customer {number}"} for number in range(200 + i * 37 % 1800)]
        assert len(_arrow.Table.from_pylist(rows)) == len(rows)
