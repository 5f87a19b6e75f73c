"""No leak: pages parsed by Beautiful Soup; every tree is one big cycle, and waits for the collector.

Reported as MechanicalSoup/MechanicalSoup#253 and svenevs/exhale#9.
"""

import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="trees of Beautiful Soup, made and dropped",
    requires=("beautifulsoup4==4.12.3",),
    source="https://github.com/MechanicalSoup/MechanicalSoup/issues/253",
)
_traffic = Traffic(103)
_random = random.Random(103)
_soup: Any = None


def setup() -> None:
    global _soup
    from bs4 import BeautifulSoup

    _soup = BeautifulSoup


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 250 == 0:
        rows = "".join(f"<li><a href='/order/{row}'>order {row}</a></li>" for row in range(_random.randrange(20, 200)))
        assert _soup(f"<ul>{rows}</ul>", "html.parser").find("a")
