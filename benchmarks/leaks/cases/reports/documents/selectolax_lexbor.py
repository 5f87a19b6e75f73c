"""Pages parsed by selectolax with Lexbor, and searched by a CSS selector.

Reported as rushter/selectolax#90.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="selectors of selectolax's Lexbor parser",
    leaks="native",
    leaking_release="selectolax==0.3.13",
    fixed_release="selectolax==0.3.14",
    source="https://github.com/rushter/selectolax/issues/90",
)
_traffic = Traffic(62)
_parser: Any = None


def setup() -> None:
    global _parser
    from selectolax.lexbor import LexborHTMLParser

    _parser = LexborHTMLParser


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 400 == 0:
        assert _parser(f"<ul><li><a href='/order/{i}'>order {i}</a></li></ul>").css("a")
