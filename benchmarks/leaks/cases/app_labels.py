"""A Prometheus counter labelled by user."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="a metric's children by user id",
    leaks="objects",
    culprit=("prometheus_client.*",),
)
_counter: Any = None


def setup() -> None:
    global _counter
    from prometheus_client import CollectorRegistry, Counter

    _counter = Counter("orders", "Orders", ["user"], registry=CollectorRegistry())


def step(i: int) -> None:
    if i % 20 == 0:
        _counter.labels(user=str(i)).inc()
