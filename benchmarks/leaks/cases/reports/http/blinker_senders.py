"""No leak: a receiver is connected to each order as its sender; the signal refers to senders weakly, and tidies up.

Reported as pallets-eco/blinker#12, of a version that kept the entries of senders that are gone.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="signals of blinker with senders that come and go",
    requires=("blinker==1.9.0",),
    source="https://github.com/pallets-eco/blinker/pull/12",
)
_traffic = Traffic(122)
_paid: Any = None


class Order:
    """That sends a signal."""


def setup() -> None:
    global _paid
    import blinker

    _paid = blinker.Signal()


def _tell(_sender: Order) -> str:
    return "told"


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        order = Order()
        _paid.connect(_tell, sender=order)
        assert [answer for _receiver, answer in _paid.send(order)] == ["told"]
