"""Regular expressions by user input: the module re keeps 512 of them."""

import random
import re

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="re's own cache of patterns")
_random = random.Random(21)


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 10 == 0:
        re.search(f"order-{_random.randrange(5000)}", "order-17")
