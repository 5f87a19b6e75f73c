"""A task group that lives as long as the server, and keeps each task it started in a set.

Reported as geldata/gel-python#140 and achimnol/aiotools#21.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="finished tasks in the set of a task group",
    leaks="objects",
    culprit=("*Task", "set", "*Context", "Context"),
    source="https://github.com/geldata/gel-python/pull/140",
)
_traffic = Traffic(99)
_loop: Any = None


class Group:
    """Of tasks."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        self.tasks.add(_loop.create_task(work))


_group = Group()


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()


async def _send(number: int) -> str:
    return f"sent {number}"


async def _order(number: int) -> None:
    _group.start(_send(number))
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _loop.run_until_complete(_order(i))
