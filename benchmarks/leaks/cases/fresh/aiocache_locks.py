"""A lock of aiocache around each customer's first look-up, so that it is made once.

Reported as aio-libs/aiocache#807 of 0.12.2: what releases a lock forgets its timer.

Holder: ``_handlers`` of the memory backend, a dict of timers by key.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="timers of released locks",
    leaks="objects",
    culprit=("*TimerHandle", "*._handlers", "*method", "*Context"),
    holder=("*_handlers*",),
    leaking_release="aiocache==0.12.2",
    fixed_release="aiocache==0.12.3",
    source="https://github.com/aio-libs/aiocache/pull/807",
)
_traffic = Traffic(303)
_loop: Any = None
_cache: Any = None
_RedLock: Any = None


def setup() -> None:
    global _loop, _cache, _RedLock
    from aiocache import SimpleMemoryCache
    from aiocache.lock import RedLock

    _loop = asyncio.new_event_loop()
    _cache = SimpleMemoryCache()
    _RedLock = RedLock


async def _look_up(customer: str) -> None:
    async with _RedLock(_cache, customer, lease=0.005):
        if await _cache.get(customer) is None:
            await _cache.set(customer, len(customer))
    await _cache.delete(customer)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _loop.run_until_complete(_look_up(f"customer-{i}"))
