"""Locks that are taken and released."""

import asyncio
import itertools

from aiocache import SimpleMemoryCache
from aiocache.lock import RedLock

cache = SimpleMemoryCache()
loop = asyncio.new_event_loop()
numbers = itertools.count()


async def lock():
    async with RedLock(cache, f"key-{next(numbers)}", lease=5):
        pass


def call():
    loop.run_until_complete(lock())
