"""Web sockets whose handshake is refused, at a server that keeps what it knows of each.

Reported as miguelgrinberg/Flask-SocketIO#574, and written after it: only a socket that was accepted is forgotten.

Holder: ``SocketServer.environ``, a dict by the socket's number.
"""

import random

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="environments of refused web sockets",
    leaks="objects",
    culprit=("*Handshake", "*.environ", "*SocketServer*"),
    holder=("*environ*", "*SocketServer*"),
    source="https://github.com/miguelgrinberg/Flask-SocketIO/issues/574",
)
_traffic = Traffic(411)
_random = random.Random(411)


class Handshake:
    """What came with the request."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        self.path = path
        self.headers = headers


class SocketServer:
    """Accepts sockets of users who are logged in."""

    def __init__(self) -> None:
        self.environ: dict[str, Handshake] = {}
        self.rooms: dict[str, set[str]] = {"all": set()}

    def connect(self, sid: str, handshake: Handshake) -> bool:
        """Whether the socket is accepted."""
        self.environ[sid] = handshake
        if "cookie" not in handshake.headers:
            return False
        self.rooms["all"].add(sid)
        return True

    def disconnect(self, sid: str) -> None:
        """It was closed."""
        self.rooms["all"].discard(sid)
        del self.environ[sid]


_server = SocketServer()
_open: list[str] = []


def setup() -> None:
    """Nothing."""


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 4 == 0:
        headers = {"host": "shop.example", "origin": f"https://page-{i % 50}.example"}
        if _random.random() < 0.7:
            headers["cookie"] = f"session={i}"
        if _server.connect(f"sid{i}", Handshake("/socket", headers)):
            _open.append(f"sid{i}")
        while len(_open) > 100:
            _server.disconnect(_open.pop(_random.randrange(len(_open))))
