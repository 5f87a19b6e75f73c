"""Messages that a Redis server pushes to a subscriber, parsed without the server: each list of them is lost.

Reported as redis/redis-py#4339 of hiredis 3.4.1.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="push messages parsed by hiredis",
    leaks="objects",
    culprit=("list",),
    leaking_release="hiredis==3.4.1",
    fixed_release="hiredis==3.4.2",
    source="https://github.com/redis/redis-py/issues/4339",
)
_traffic = Traffic(61)
_reader: Any = None


def setup() -> None:
    global _reader
    import hiredis

    _reader = hiredis.Reader()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        text = b"order %d paid" % i
        _reader.feed(b">3\r\n$7\r\nmessage\r\n$6\r\norders\r\n$%d\r\n%s\r\n" % (len(text), text))
        _reader.gets()
