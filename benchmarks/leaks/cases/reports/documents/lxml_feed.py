"""A feed without end, read with lxml's pull parser: what was handled is not cleared, and stays below the root.

Reported as deborahgu/abbyy-to-epub3#19.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="nodes of lxml below an open root",
    leaks="native",
    requires=("lxml==5.3.0",),
    source="https://github.com/deborahgu/abbyy-to-epub3/pull/19",
)
_traffic = Traffic(101)
_parser: Any = None


def setup() -> None:
    global _parser
    from lxml import etree

    _parser = etree.XMLPullParser(events=("end",), tag="page")
    _parser.feed(b"<book>")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _parser.feed(b"<page><line>number %d</line><line>of the book</line></page>" % i)
        assert [page.tag for _event, page in _parser.read_events()] == ["page"]
