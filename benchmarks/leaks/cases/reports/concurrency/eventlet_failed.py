"""No leak: green threads that refer to themselves and fail, so that the error's traceback leads back to them.

Reported as eventlet/eventlet#408 of 2017; with 0.38 they wait for the collector.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="failed green threads of eventlet",
    requires=("eventlet==0.38.2",),
    source="https://github.com/eventlet/eventlet/issues/408",
)
_traffic = Traffic(78)
_eventlet: Any = None
_threads: dict[int, Any] = {}


class RefusedError(Exception):
    """By the bank."""


class Order:
    """That knows who works on it."""

    def __init__(self, number: int) -> None:
        self.worker = _threads[number]


def setup() -> None:
    global _eventlet
    import eventlet
    from eventlet import debug

    debug.hub_exceptions(state=False)
    _eventlet = eventlet


def _pay(number: int) -> None:
    order = Order(number)
    raise RefusedError(order)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _threads[i] = _eventlet.spawn(_pay, i)
        _eventlet.sleep(0)
        del _threads[i]
