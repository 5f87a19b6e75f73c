"""A long-running task enters a cancel scope for each job and never leaves it: each knows the one before.

Reported as PrefectHQ/prefect#12019.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="cancel scopes of anyio that were entered only",
    leaks="objects",
    culprit=("anyio.*", "*CancelScope", "set"),
    requires=("anyio==4.2.0",),
    source="https://github.com/PrefectHQ/prefect/pull/12019",
)
_traffic = Traffic(100)
_loop: Any = None
_jobs: asyncio.Queue[int] = asyncio.Queue()
_worker: Any = None


async def _work() -> None:
    import anyio

    while True:
        await _jobs.get()
        anyio.CancelScope().__enter__()
        _jobs.task_done()


def setup() -> None:
    global _loop, _worker
    _loop = asyncio.new_event_loop()
    _worker = _loop.create_task(_work())


async def _job(number: int) -> None:
    _jobs.put_nowait(number)
    await _jobs.join()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _loop.run_until_complete(_job(i))
