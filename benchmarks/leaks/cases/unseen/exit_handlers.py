"""Connections to devices, each of which asks to be closed when the process ends; they are closed long before.

Reported as ARM-software/devlib#676, and written after it.

Holder: the list of ``atexit``, in C, of bound methods.
"""

import atexit

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="closed connections in atexit",
    leaks="objects",
    culprit=("*Connection", "*Channel", "*method", "*atexit*"),
    holder=(),
    source="https://github.com/ARM-software/devlib/issues/676",
)
_traffic = Traffic(407)


class Channel:
    """Answers of a device."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.lines: list[str] = []


class Connection:
    """To a device."""

    def __init__(self, host: str) -> None:
        self.channel = Channel(host)
        self.open = True
        atexit.register(self.close)

    def execute(self, command: str) -> str:
        """What the device answers."""
        self.channel.lines.append(f"{self.channel.host}$ {command}")
        return self.channel.lines[-1]

    def close(self) -> None:
        """Whoever made it says so."""
        self.open = False


def setup() -> None:
    """Nothing."""


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        connection = Connection(f"board-{i % 7}")
        assert connection.execute("uptime").endswith("uptime")
        connection.close()
