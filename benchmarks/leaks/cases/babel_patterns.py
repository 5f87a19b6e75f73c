"""Dates written with a pattern that holds a name."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="Babel's cache of date patterns",
    leaks="objects",
    culprit=("babel.dates.DateTimePattern",),
    leaking_release="babel==2.11.0",
    fixed_release="babel==2.12.1",
    source="https://github.com/python-babel/babel/issues/962",
)
_parse: Any = None


def setup() -> None:
    global _parse
    from babel.dates import parse_pattern

    _parse = parse_pattern


def step(i: int) -> None:
    _parse(f"yyyy-MM-dd 'order {i}'")
