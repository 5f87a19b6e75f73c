"""No leak: filters of searches, parsed with pyparsing, which keeps the last 128 results of its rules.

Reported as pyparsing/pyparsing#267, which wants to be without that cache.

Holder: ``ParserElement.packrat_cache``, with a limit.
"""

import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="the cache of pyparsing's rules",
    requires=("pyparsing==3.2.0",),
    source="https://github.com/pyparsing/pyparsing/issues/267",
)
_traffic = Traffic(428)
_random = random.Random(428)
_filter: Any = None


def setup() -> None:
    global _filter
    import pyparsing

    pyparsing.ParserElement.enable_packrat()
    name = pyparsing.Word(pyparsing.alphas)
    number = pyparsing.Word(pyparsing.nums)
    term = pyparsing.Group(name + pyparsing.one_of("< > =") + number)
    _filter = pyparsing.infix_notation(term, [("and", 2, pyparsing.OpAssoc.LEFT), ("or", 2, pyparsing.OpAssoc.LEFT)])


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        word = _random.choice(["price", "age", "size"])
        parsed = _filter.parse_string(f"{word} < {i} and stock > {i % 17} or rank = {i % 5}", parse_all=True)
        assert parsed
