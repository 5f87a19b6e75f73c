"""How the commands that run until they are asked to stop learn of it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def on_signals(*numbers: signal.Signals) -> Iterator[socket.socket]:
    """Yield a socket that can be read once one of the signals has come.

    No lock is waited for: a signal that comes just before the wait would not end it. The handlers are set outright,
    because a shell that starts a command in the background leaves SIGINT ignored.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    for number in numbers:
        signal.signal(number, lambda *_signal: None)
    with reader, writer:
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(-1)
