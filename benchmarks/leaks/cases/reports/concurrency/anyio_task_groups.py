"""No leak: a task group of anyio for each request; scopes and tasks are in cycles, and wait for the collector.

Reported as agronholm/anyio#451 of 3.6.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="task groups of anyio, made and left",
    requires=("anyio==3.6.1",),
    source="https://github.com/agronholm/anyio/pull/451",
)
_traffic = Traffic(123)
_loop: Any = None
_anyio: Any = None


def setup() -> None:
    global _loop, _anyio
    import anyio

    _loop, _anyio = asyncio.new_event_loop(), anyio


async def _part(number: int) -> None:
    await _anyio.sleep(0)


async def _request() -> None:
    async with _anyio.create_task_group() as outer:
        outer.start_soon(_part, 1)
        async with _anyio.create_task_group() as inner:
            inner.start_soon(_part, 2)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 50 == 0:
        _loop.run_until_complete(_request())
