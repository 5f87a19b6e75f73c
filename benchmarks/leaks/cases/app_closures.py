"""Callbacks "for after the commit", kept and never run."""

from collections.abc import Callable

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="closures kept in a list",
    leaks="objects",
    culprit=("function", "cell"),
)
AFTERWARDS: list[Callable[[], int]] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 8 == 0:
        order = {"number": i}
        AFTERWARDS.append(lambda: order["number"])
