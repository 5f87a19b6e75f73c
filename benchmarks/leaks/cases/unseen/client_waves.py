"""No leak: clients of web sockets that come and go in waves, each with a queue of what it was not yet sent.

Reported as miguelgrinberg/Flask-SocketIO#311, and written after it.

Holder: ``Server.sockets``, a dict by the client's number, of at most 400.
"""

import random
from collections import deque

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="web sockets that come and go in waves",
    source="https://github.com/miguelgrinberg/Flask-SocketIO/issues/311",
)
_traffic = Traffic(431)
_random = random.Random(431)
MOST = 400
WAVE = 5_000


class Socket:
    """A client's."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.queue: deque[dict[str, object]] = deque(maxlen=20)


class Server:
    """Has all sockets that are open."""

    def __init__(self) -> None:
        self.sockets: dict[int, Socket] = {}

    def wanted(self, now: int) -> int:
        """How many clients there are at this time."""
        return MOST * abs(now % WAVE - WAVE // 2) * 2 // WAVE

    def emit(self, event: dict[str, object]) -> None:
        """To a client of chance."""
        if self.sockets:
            self.sockets[_random.choice(list(self.sockets))].queue.append(event)


_server = Server()


def setup() -> None:
    """Nothing."""


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        wanted = _server.wanted(i)
        while len(_server.sockets) > wanted:
            del _server.sockets[next(iter(_server.sockets))]
        while len(_server.sockets) < wanted:
            number = i * 1000 + len(_server.sockets)
            _server.sockets[number] = Socket(number)
        _server.emit({"event": "price", "at": i})
