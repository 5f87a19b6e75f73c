"""A subclass calls the initialiser of ``XMLParser`` again to start over: the first parser's parts are lost.

Reported as python/cpython#148058 and #114795; Python 3.11 has it.
"""

from xml.etree import ElementTree

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="XMLParser that is initialised twice",
    leaks="objects",
    culprit=("*TreeBuilder", "list", "builtin_function_or_method"),
    source="https://github.com/python/cpython/issues/148058",
)
_traffic = Traffic(31)


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 50 == 0:
        parser = ElementTree.XMLParser()
        parser.__init__()
        parser.feed("<order/>")
        parser.close()
