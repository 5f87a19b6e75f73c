"""A report that gathers much every 9,000 requests and is dropped 3,000 later."""

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="a report held for a third of the time")


class Line:
    """Of the report."""

    def __init__(self, number: int) -> None:
        self.number = number


_report: list[Line] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 9000 == 2000:
        _report.extend(Line(n) for n in range(8000))
    if i % 9000 == 5000:
        _report.clear()
