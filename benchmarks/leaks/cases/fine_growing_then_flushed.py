"""Metrics gathered in a list of tuples, flushed every 5,500 requests."""

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="metrics gathered and flushed")
_points: list[tuple[str, float]] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    _points.append((f"latency.{i % 50}", i / 7))
    if i % 5500 == 5499:
        _points.clear()
