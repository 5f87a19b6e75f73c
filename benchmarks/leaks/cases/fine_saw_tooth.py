"""Rows gathered and let go when there are 30,000."""

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="a batch that is gathered and let go")


class Row:
    """Of a price list."""

    def __init__(self, number: int) -> None:
        self.number = number


_batch: list[Row] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    _batch.append(Row(i))
    if len(_batch) >= 13_700:
        _batch.clear()
