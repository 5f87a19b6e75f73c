"""Jobs of RQ."""

from __future__ import annotations


def add(one: int, two: int) -> int:
    kept = bytearray(20_000_000)
    kept[::4096] = b"x" * len(kept[::4096])
    return one + two


def fail() -> None:
    raise ValueError("of the test")
