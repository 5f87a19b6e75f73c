"""Each call of a long connection waits for its answer or for the connection's end: the wait for the end is left over.

Reported as permitio/fastapi_websocket_rpc#15.
"""

import asyncio
import logging
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="tasks that wait for the end of a connection",
    leaks="objects",
    culprit=("*Task", "*Future", "coroutine", "set", "*deque", "*Context", "Context"),
    source="https://github.com/permitio/fastapi_websocket_rpc/issues/15",
)
_traffic = Traffic(75)
_loop: Any = None
_closed = asyncio.Event()


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


async def _call(number: int) -> int:
    answered = asyncio.Event()
    _loop.call_soon(answered.set)
    for first in asyncio.as_completed([answered.wait(), _closed.wait()]):
        await first
        break
    return number


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _loop.run_until_complete(_call(i))
