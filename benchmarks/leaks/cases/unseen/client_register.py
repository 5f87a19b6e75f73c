"""Clients of an archive, made by a plug-in for each cycle, which the class knows so that it can log them all out.

Reported as icatproject/python-icat#111, and written after it.

Holder: ``Client.Register``, a dict of the class by the client's id.
"""

import itertools
from typing import ClassVar

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="clients that a class registers",
    leaks="objects",
    culprit=("*Client", "*Client.Register", "*.Register", "*Transport"),
    holder=("*Register*",),
    source="https://github.com/icatproject/python-icat/issues/111",
)
_traffic = Traffic(414)
_numbers = itertools.count()


class Transport:
    """What a client sends with."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers = {"Accept": "application/xml"}


class Client:
    """Logged in to an archive."""

    Register: ClassVar[dict[int, "Client"]] = {}

    def __init__(self, url: str) -> None:
        self.number = next(_numbers)
        self.transport = Transport(url)
        self.session: str | None = None
        self.Register[self.number] = self

    def login(self, name: str) -> None:
        """Begin a session."""
        self.session = f"{name}-{self.number}"

    def logout(self) -> None:
        """End it; the client may log in again."""
        self.session = None

    @classmethod
    def cleanupall(cls) -> None:
        """At the end of the process."""
        for client in list(cls.Register.values()):
            client.logout()
        cls.Register.clear()


def setup() -> None:
    """Nothing."""


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        client = Client("https://archive.example/icat")
        client.login("plugin")
        assert client.session
        client.logout()
