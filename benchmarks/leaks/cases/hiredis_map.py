"""Replies of a Redis server in RESP3, parsed without the server."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="RESP3 maps parsed by hiredis",
    leaks="untracked",
    leaking_release="hiredis==3.1.0",
    fixed_release="hiredis==3.2.0",
    source="https://github.com/redis/hiredis-py/issues/175",
)
_reader: Any = None


def setup() -> None:
    global _reader
    import hiredis

    _reader = hiredis.Reader()


def step(i: int) -> None:
    value = b"order number %d" % i
    _reader.feed(b"%%1\r\n$4\r\nname\r\n$%d\r\n%s\r\n" % (len(value), value))
    _reader.gets()
