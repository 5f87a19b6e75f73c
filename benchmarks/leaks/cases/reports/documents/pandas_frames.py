"""No leak: data frames made in a loop and dropped; some are in cycles, and wait for the collector with their arrays.

Reported as pandas-dev/pandas#60897.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="data frames of pandas, made and dropped",
    requires=("pandas==2.2.3", "numpy==2.1.3"),
    source="https://github.com/pandas-dev/pandas/issues/60897",
)
_traffic = Traffic(52)
_pandas: Any = None


def setup() -> None:
    global _pandas
    import pandas

    _pandas = pandas


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        rows = 200 + i * 31 % 3000
        frame = _pandas.DataFrame({"number": range(rows), "price": [0.5] * rows})
        frame.attrs["totals"] = frame.groupby("price").sum()
        frame.attrs["self"] = [frame]
