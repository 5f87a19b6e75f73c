"""Jobs spawned in a ``GreenPile`` whose results nobody reads.

Reported as eventlet/eventlet#748: a pile keeps each finished green thread until its result is taken.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="finished green threads in a GreenPile",
    leaks="objects",
    culprit=("eventlet.*", "greenlet.*", "*GreenThread", "deque"),
    requires=("eventlet==0.38.2",),
    source="https://github.com/eventlet/eventlet/issues/748",
)
_traffic = Traffic(27)
_eventlet: Any = None
_pile: Any = None


def setup() -> None:
    global _eventlet, _pile
    import eventlet

    _eventlet = eventlet
    _pile = eventlet.GreenPile(eventlet.GreenPool(size=10))


def _send(number: int) -> str:
    return f"sent {number}"


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _pile.spawn(_send, i)
        _eventlet.sleep(0)
