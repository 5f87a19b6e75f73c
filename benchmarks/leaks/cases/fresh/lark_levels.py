"""No leak: a parser of Lark for each level of a course and each language, made when first asked for and then kept.

Reported as hedyorg/hedy#4504, which gave up the cache to save memory.

Holder: ``_parsers``, a dict of at most 36 parsers.
"""

import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="parsers by level and language",
    requires=("lark==1.2.2",),
    source="https://github.com/hedyorg/hedy/pull/4504",
)
_traffic = Traffic(323)
_random = random.Random(323)
_Lark: Any = None
_parsers: dict[tuple[int, str], Any] = {}
_WORDS = {"en": ("print", "ask"), "nl": ("toon", "vraag"), "de": ("zeige", "frage"), "fr": ("affiche", "demande")}


def setup() -> None:
    global _Lark
    from lark import Lark

    _Lark = Lark


def _grammar(level: int, language: str) -> str:
    show, ask = _WORDS[language]
    kinds = "".join(f'\n        | "{show}{number}" NAME -> show{number}' for number in range(level))
    return f"""
        start: line+
        line: "{show}" NAME -> show
        | NAME "is" "{ask}" NAME -> ask{kinds}
        NAME: /[a-z]+[0-9]*/
        %import common.WS
        %ignore WS
    """


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        key = (_random.randrange(9), _random.choice(list(_WORDS)))
        if key not in _parsers:
            _parsers[key] = _Lark(_grammar(*key), parser="earley")
        assert _parsers[key].parse(f"{_WORDS[key[1]][0]} name{i}").children
