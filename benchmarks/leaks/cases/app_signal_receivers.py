"""A receiver connected for each request, and never disconnected."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="signal receivers connected per request",
    leaks="objects",
    culprit=("*.Receiver",),
)
_signal: Any = None


class Receiver:
    """Notes what one request did."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, **kwargs: object) -> None:
        pass


def setup() -> None:
    global _signal
    from django.dispatch import Signal

    _signal = Signal()


def step(i: int) -> None:
    if i % 100 == 0:
        _signal.connect(Receiver(i), weak=False)
