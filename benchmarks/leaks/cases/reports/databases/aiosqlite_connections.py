"""No leak: a connection of aiosqlite for each request, which has a thread of its own until it is closed.

Reported as omnilib/aiosqlite#258.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="connections of aiosqlite with their threads",
    requires=("aiosqlite==0.19.0",),
    source="https://github.com/omnilib/aiosqlite/issues/258",
)
_traffic = Traffic(116)
_loop: Any = None
_connect: Any = None


def setup() -> None:
    global _loop, _connect
    _loop = asyncio.new_event_loop()
    import aiosqlite

    _connect = aiosqlite.connect


async def _request(number: int) -> int:
    async with _connect(":memory:") as database, database.execute("SELECT ?", (number,)) as cursor:
        return int((await cursor.fetchone())[0])


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        assert _loop.run_until_complete(_request(i)) == i
