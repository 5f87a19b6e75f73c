"""No leak: books of orders kept in order of their prices, made for each request and dropped.

Reported as grantjenks/python-sortedcontainers#147.

Holder: cycles of ``SortedDict`` and its own methods, until the next collection.
"""

import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="sorted dicts that wait for the collector",
    requires=("sortedcontainers==2.4.0",),
    source="https://github.com/grantjenks/python-sortedcontainers/issues/147",
)
_traffic = Traffic(422)
_random = random.Random(422)
_SortedDict: Any = None


class Order:
    """Of a trader."""

    __slots__ = ("amount", "price")

    def __init__(self, price: int, amount: int) -> None:
        self.price = price
        self.amount = amount


def setup() -> None:
    global _SortedDict
    from sortedcontainers import SortedDict

    _SortedDict = SortedDict


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        orders = [Order(_random.randrange(10_000), number) for number in range(_random.randint(2, 40))]
        book = _SortedDict({order.price: order for order in orders})
        assert book.peekitem(0)[0] <= book.peekitem(-1)[0]
