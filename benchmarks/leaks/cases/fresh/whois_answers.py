"""No leak: answers of a whois server, now and then a very long one, put together from many short texts.

Reported as irrdnet/irrd#571: the worker's memory stayed where its longest answer had brought it.

Holder: the C library and Python's arenas, which keep room for the next.
"""

import random

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="long answers of many texts",
    source="https://github.com/irrdnet/irrd/issues/571",
)
_traffic = Traffic(324)
_random = random.Random(324)
_last: list[str] = []


def setup() -> None:
    _last.clear()


def _answer(routes: int) -> str:
    lines = []
    for number in range(routes):
        lines.append(f"route: 10.{number >> 8 & 255}.{number & 255}.0/24")
        lines.append("descr: " + "x" * (number % 700))
    return "\n".join(lines)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        routes = min(12_000, int(150 * _random.paretovariate(0.9)))
        text = _answer(routes)
        _last[:] = [text[:500]]
        assert text.count("route:") == routes
