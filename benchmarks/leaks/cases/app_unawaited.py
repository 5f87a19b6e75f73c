"""Futures of requests that nobody answers any more."""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="futures that wait for ever",
    leaks="objects",
    culprit=("*Future",),
)
_waiting: dict[int, asyncio.Future[None]] = {}
_loop: Any = None


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()


def step(i: int) -> None:
    if i % 30 == 0:
        _waiting[i] = _loop.create_future()
