"""The last 5,000 log records, kept for an error page."""

import logging
from collections import deque

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="a ring of 5,000 log records")
_records: deque[logging.LogRecord] = deque(maxlen=5000)


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 4 == 0:
        _records.append(logging.LogRecord("shop", logging.INFO, "shop.py", i, "order %s", (i,), None))
