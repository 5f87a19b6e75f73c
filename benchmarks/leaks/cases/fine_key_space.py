"""A dict by product, of which there are 3,000: all are seen sooner or later."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="memo by a key of 3,000 values")
_random = random.Random(2)


class Product:
    """One of 3,000."""

    def __init__(self, number: int) -> None:
        self.number = number


PRODUCTS: dict[int, Product] = {}


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 4 == 0:
        PRODUCTS.setdefault(number := _random.randrange(3000), Product(number))
