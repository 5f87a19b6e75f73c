"""Pages by path, of which the oldest goes when there are 4,000; paths come by popularity."""

import random
from collections import OrderedDict

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="4,000 pages by path, the popular first")
_random = random.Random(31)
_pages: OrderedDict[int, str] = OrderedDict()


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 2 == 0:
        path = int(_random.paretovariate(0.6)) % 50_000
        if path not in _pages:
            _pages[path] = f"<h1>{path}</h1>" * 6
        _pages.move_to_end(path)
        if len(_pages) > 4000:
            _pages.popitem(last=False)
