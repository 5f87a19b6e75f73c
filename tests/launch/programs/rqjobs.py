"""Jobs of RQ."""

from __future__ import annotations

import time


def add(one: int, two: int) -> int:
    kept = bytearray(20_000_000)
    kept[::4096] = b"x" * len(kept[::4096])
    return one + two


def fail() -> None:
    raise ValueError("of the test")


def long() -> None:
    """Longer than the agent waits in a new process."""
    time.sleep(5)
