"""Tasks of Huey."""

from __future__ import annotations

from huey import SqliteHuey

huey = SqliteHuey(filename="huey.db")


@huey.task()
def add(one: int, two: int) -> int:
    return one + two


@huey.task()
def fail() -> None:
    raise ValueError("of the test")
