"""Nothing is kept."""

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="nothing kept")


def setup() -> None:
    pass


def step(i: int) -> None:
    sum(len(str(n)) for n in range(i % 7))
