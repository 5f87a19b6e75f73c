"""Futures of requests that nobody answers any more."""

import asyncio

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="futures that wait for ever",
    leaks="objects",
    culprit=("*Future",),
)
_waiting: dict[int, asyncio.Future[None]] = {}
_loop = asyncio.new_event_loop()


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 30 == 0:
        _waiting[i] = _loop.create_future()
