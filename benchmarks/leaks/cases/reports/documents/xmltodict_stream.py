"""A feed without end, read item by item: xmltodict also adds each item to the parent.

Reported as martinblech/xmltodict#365 of 0.14.
"""

import queue
import threading
from collections.abc import Iterator
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="items of a stream in xmltodict",
    leaks="untracked",
    culprit=("dict", "list", "xmltodict.*", "untracked"),
    leaking_release="xmltodict==0.14.2",
    fixed_release="xmltodict==1.0.2",
    source="https://github.com/martinblech/xmltodict/issues/365",
)
_traffic = Traffic(63)
_chunks: queue.Queue[bytes] = queue.Queue(1)
_items: queue.Queue[Any] = queue.Queue()


def _stream() -> Iterator[bytes]:
    yield b"<orders>"
    while True:
        yield _chunks.get()


def _took(_path: Any, item: Any) -> bool:
    _items.put(item)
    return True


def setup() -> None:
    import xmltodict

    parse = {"item_depth": 2, "item_callback": _took}
    threading.Thread(target=xmltodict.parse, args=(_stream(),), kwargs=parse, daemon=True).start()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        _chunks.put(b"<order><number>%d</number><note>by post</note></order>" % i)
        assert _items.get()
