"""The profiler's own thread, beside the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


class OwnThread:
    """Runs one function at a time. The first call starts it, also in a forked child, which does not have the thread."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._pid = os.getpid()
        """The process that the thread belongs to."""

    async def run(self, function: Callable[[], _T]) -> _T:
        """What ``function`` returns or raises."""
        if self._executor is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="memwatch-profiler")
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    async def end(self) -> None:
        """After what it runs now, if anything. :meth:`run` begins it again."""
        executor, self._executor = self._executor, None
        if executor is not None and self._pid == os.getpid():
            await asyncio.get_running_loop().run_in_executor(executor, int)
            executor.shutdown(wait=False)
