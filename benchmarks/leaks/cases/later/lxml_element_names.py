"""Documents of partners who put numbers into the names of their elements; each has a parser of its own.

Reported as truenas/middleware#6897: lxml keeps all names that a thread ever parsed.

Holder: libxml2's dictionary of names, one a thread, whose pools and table grow in stairs.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="names of XML elements in the thread's dictionary",
    leaks="native",
    requires=("lxml==5.3.1",),
    source="https://github.com/truenas/middleware/pull/6897",
)
_traffic = Traffic(204)
_etree: Any = None


def setup() -> None:
    global _etree
    from lxml import etree

    _etree = etree


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        rows = "".join(f"<position-{i}-{number}-of-delivery-note/>" for number in range(20))
        root = _etree.fromstring(f"<note>{rows}</note>", _etree.XMLParser())
        assert len(root) == 20
