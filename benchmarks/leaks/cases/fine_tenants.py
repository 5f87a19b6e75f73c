"""Thirty tenants, each with 300 settings when first seen; the popular come first."""

import random

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="settings of 30 tenants, loaded as they come")
_random = random.Random(60)


class Setting:
    """Of a tenant."""

    def __init__(self, number: int) -> None:
        self.values = [number]


_tenants: dict[int, list[Setting]] = {}


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 20 == 0:
        tenant = int(30 * _random.random() ** 2.2)
        if tenant not in _tenants:
            _tenants[tenant] = [Setting(number) for number in range(300)]
