"""No leak: asyncio's default executor starts a thread for each job while none of its 32 is idle, and keeps them.

Reported as python/cpython#82611, as memory that grows until all threads are there.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="an executor that fills up to 32 threads, with a buffer each",
    source="https://github.com/python/cpython/issues/82611",
)
_traffic = Traffic(47)
_loop: Any = None
_local = threading.local()
_gate = threading.Event()


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()
    _loop.set_default_executor(ThreadPoolExecutor(32))


def _job() -> int:
    if not hasattr(_local, "buffer"):
        _local.buffer = bytearray(b"x" * 60_000)
    _gate.wait()
    return len(_local.buffer)


async def _jobs(count: int) -> None:
    _gate.clear()
    waiting = [asyncio.ensure_future(asyncio.to_thread(_job)) for _ in range(count)]
    await asyncio.sleep(0)
    _gate.set()
    await asyncio.gather(*waiting)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 500 == 0:
        _loop.run_until_complete(_jobs(1 + min(31, i // 900)))
