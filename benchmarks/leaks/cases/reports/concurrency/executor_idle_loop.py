"""Work handed to threads through an event loop that never runs: what the threads report waits in the loop for ever.

Reported as python/cpython#85865.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="callbacks in a loop that does not run",
    leaks="objects",
    culprit=("*Handle", "*Future", "function", "*deque", "*Context", "Context"),
    source="https://github.com/python/cpython/issues/85865",
)
_traffic = Traffic(76)
_loop: Any = None
_pool = ThreadPoolExecutor(2)


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()


def _send(number: int) -> int:
    return number + 1


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _loop.run_in_executor(_pool, _send, i)
