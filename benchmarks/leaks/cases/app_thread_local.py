"""Numbers gathered in a context variable that nobody resets."""

from contextvars import ContextVar

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="durations (floats) in a list of a context variable",
    leaks="untracked",
)
_durations: ContextVar[list[float]] = ContextVar("durations")


def setup() -> None:
    _durations.set([])


def step(i: int) -> None:
    if i % 2 == 0:
        _durations.get().append(i / 7)
