"""Single keys from a terminal, without waiting for Enter, and the terminal as it was afterwards."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator


class Keys:
    """Keys pressed since the last look."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float) -> str:
        """The next key within ``seconds``; empty when none was pressed."""
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, seconds))
        return os.read(self._descriptor, 32).decode(errors="ignore") if ready else ""


@contextlib.contextmanager
def keyboard() -> Iterator[Keys]:
    """The keyboard key by key, without echo, for as long as the block lasts."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
