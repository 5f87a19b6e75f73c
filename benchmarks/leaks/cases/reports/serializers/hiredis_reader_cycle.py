"""A parser that hands a method of its own to hiredis' reader: the collector cannot see the cycle.

Reported as redis/hiredis-py#162 and redis/redis-py#2693: before 2.2.3 the reader takes no part in garbage collection.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="parsers in a cycle with hiredis.Reader",
    leaks="objects",
    culprit=("*.Parser", "hiredis.*", "method"),
    leaking_release="hiredis==2.2.2",
    fixed_release="hiredis==2.2.3",
    source="https://github.com/redis/hiredis-py/issues/162",
)
_traffic = Traffic(4)
_hiredis: Any = None


class Parser:
    """Of one connection."""

    def __init__(self) -> None:
        self.buffer = bytearray(256)
        self.reader = _hiredis.Reader(protocolError=Exception, replyError=self.error_of)

    def error_of(self, text: str) -> Exception:
        return ConnectionError(text)


def setup() -> None:
    global _hiredis
    import hiredis

    _hiredis = hiredis


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        parser = Parser()
        parser.reader.feed(b"+OK\r\n")
        parser.reader.gets()
