"""A converter of cattrs for each call of a library, so that each compiles its functions anew and keeps their sources.

Reported as apple/app-store-server-library-python#90, and python-attrs/cattrs#290 of the cause.

Holder: ``linecache.cache``, a dict.
"""

from dataclasses import dataclass
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="sources that cattrs compiled",
    leaks="objects",
    culprit=("tuple", "list", "linecache.cache", "*.cache", "untracked"),
    holder=("linecache.cache",),
    leaking_release="cattrs==23.1.2",
    fixed_release="cattrs==24.1.0",
    source="https://github.com/apple/app-store-server-library-python/issues/90",
)
_traffic = Traffic(221)
_Converter: Any = None


@dataclass
class Payload:
    """Of a purchase."""

    product: str
    price: int


def setup() -> None:
    global _Converter
    import cattrs

    _Converter = cattrs.Converter


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        assert _Converter().structure({"product": "bread", "price": i}, Payload).price == i
