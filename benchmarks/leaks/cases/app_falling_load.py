"""A cursor kept for one request in twelve, and for one in 24 when the load has halved."""

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="a leak whose rate halves", leaks="objects", culprit=("*.Cursor",))


class Cursor:
    """Of a query."""

    def __init__(self, number: int) -> None:
        self.number = number


_cursors: list[Cursor] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % (12 if i < 20_000 else 24) == 0:
        _cursors.append(Cursor(i))
