"""No leak: waits for a shielded future that lasts, each given up after a moment.

Reported as aio-libs/aiokafka#444 and python/cpython#155143: some versions of Python leave a callback on the future;
3.11 takes it off.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="cancelled waits for a shielded future",
    source="https://github.com/aio-libs/aiokafka/issues/444",
)
_traffic = Traffic(77)
_loop: Any = None
_failed: Any = None


def setup() -> None:
    global _loop, _failed
    _loop = asyncio.new_event_loop()
    _failed = _loop.create_future()


async def _poll() -> None:
    waiting = asyncio.shield(_failed)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _loop.run_until_complete(_poll())
