"""No leak: connections of websockets that compress, and are dropped: a protocol is a cycle with some 50 kB of zlib's.

Reported as python-websockets/websockets#896.

Holder: ``_open``, at most 40 connections; closed ones are garbage until the collector comes by, and the C library
keeps the room that the most of them took.
"""

import random
from collections import deque
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="compressing connections of websockets",
    requires=("websockets==15.0",),
    source="https://github.com/python-websockets/websockets/issues/896",
)
_traffic = Traffic(242)
_random = random.Random(242)
_new: Any = None
_open: deque[Any] = deque()


def setup() -> None:
    global _new
    from websockets.extensions.permessage_deflate import PerMessageDeflate
    from websockets.protocol import OPEN
    from websockets.server import ServerProtocol

    def _connection() -> Any:
        protocol = ServerProtocol(state=OPEN)
        protocol.extensions = [PerMessageDeflate(False, False, 12, 12, {"memLevel": 5})]
        return protocol

    _new = _connection


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 12 == 0:
        connection = _new()
        connection.send_text(f"hello, visitor {i}".encode())
        assert connection.data_to_send()
        _open.append(connection)
        while len(_open) > 40 - _random.randint(0, 20):
            _open.popleft()
