"""Making the calls that a measurement asks for: of a function, or of a coroutine function in one event loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

import pytest

from memwatch.pytest_plugin.captured import Captured
from memwatch.pytest_plugin.counting import now

Result = TypeVar("Result")
Steps = Generator[int, int, Result]
"""Yields how many calls are to be made next, is sent how many were, and returns its result."""
NOT_REPEATABLE = (
    "memwatch: this was call {}. Every call gets the same fixtures, which are set up once: a test that is measured "
    "must leave them as it found them. To measure a part of it, use the fixture memory: memory.assert_no_leak(part)."
)
IN_A_LOOP = (
    "this test runs in an event loop, so a coroutine function cannot be run in one of its own: mark the asynchronous "
    "test with @pytest.mark.no_leaks, or give the coroutine function to a test that is no coroutine"
)


class Calls:
    """How many were made, and how long they took; none begins once they have taken all of the budget.

    Only calls count: what counting takes goes with the size of the heap and the load of the machine, and has its own
    bound, the number of counts.
    """

    def __init__(self, budget_s: float, item: pytest.Item | None = None) -> None:
        self.made = 0
        self.seconds = 0.0
        """Spent in calls."""
        self._first_s = 0.0
        self._budget_s = budget_s
        self._captured = Captured(item)

    @property
    def left_s(self) -> float:
        """Of the budget; below 0 after it."""
        return self._budget_s - self.seconds

    @property
    def each_s(self) -> float:
        """What a call takes on average, without the first where there are more: it loads what the others find.

        Something above 0.
        """
        if self.made < 2:
            return max(self.seconds, 1e-9)
        return max((self.seconds - self._first_s) / (self.made - 1), 1e-9)

    def allow(self, seconds: float) -> None:
        """So many more from now on, where less is left."""
        self._budget_s += max(0.0, seconds - self.left_s)

    def make(self, call: Callable[[], object], count: int) -> int:
        """So many, or fewer where time runs out."""
        before = self.made
        for _ in range(count):
            if not self._begins():
                break
            began = now()
            try:
                call()
            except Exception as error:
                self._explain(error)
                raise
            self._note(now() - began)
        return self.made - before

    async def await_calls(self, call: Callable[[], Awaitable[object]], count: int) -> int:
        """The same of a coroutine function."""
        before = self.made
        for _ in range(count):
            if not self._begins():
                break
            began = now()
            try:
                await call()
            except Exception as error:
                self._explain(error)
                raise
            self._note(now() - began)
        return self.made - before

    def _begins(self) -> bool:
        """Whether one more call is made; it finds what pytest had captured before the first."""
        if self.left_s <= 0 and self.made:
            return False
        if self.made:
            self._captured.restore()
        return True

    def _note(self, seconds: float) -> None:
        if not self.made:
            self._first_s = seconds
        self.seconds += seconds
        self.made += 1

    def _explain(self, error: Exception) -> None:
        if self.made:
            error.add_note(NOT_REPEATABLE.format(self.made + 1))


def run(steps: Steps[Result], call: Callable[[], Any], calls: Calls) -> Result:
    """The result of a measurement of ``call``. Raises :class:`RuntimeError` for a coroutine function within a loop."""
    if inspect.iscoroutinefunction(call):
        return _in_own_loop(steps, call, calls)
    try:
        count = next(steps)
        while True:
            count = steps.send(calls.make(call, count))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        steps.close()


async def run_async(steps: Steps[Result], call: Callable[[], Awaitable[object]], calls: Calls) -> Result:
    """The same within the event loop that runs already, whosever it is."""
    try:
        count = next(steps)
        while True:
            count = steps.send(await calls.await_calls(call, count))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        steps.close()


def _in_own_loop(steps: Steps[Result], call: Callable[[], Any], calls: Calls) -> Result:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(IN_A_LOOP)
    with asyncio.Runner() as runner:
        return runner.run(run_async(steps, call, calls))
