"""A marked test in place of itself: called again and again with the same fixtures, and judged."""

from __future__ import annotations

import functools
import inspect
import unittest
from collections.abc import Callable
from typing import Any

import pytest

from memwatch.pytest_plugin.calls import Calls, run, run_async
from memwatch.pytest_plugin.findings import Outcome
from memwatch.pytest_plugin.measurement import measured
from memwatch.pytest_plugin.plan import Plan


def repeated(
    function: Callable[..., Any], plan: Plan, item: pytest.Item, settle: Callable[[Outcome], None]
) -> Callable[..., Any]:
    """Asynchronous where the test is, so that the plug-in which runs it finds what it knows."""
    function = _set_up_again(function, getattr(item, "instance", None))
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def repetition(*args: Any, **fixtures: Any) -> None:
            __tracebackhide__ = True
            calls = Calls(plan.budget_s, item)
            settle(await run_async(measured(plan, calls), functools.partial(function, *args, **fixtures), calls))

    else:

        @functools.wraps(function)
        def repetition(*args: Any, **fixtures: Any) -> None:
            __tracebackhide__ = True
            calls = Calls(plan.budget_s, item)
            settle(run(measured(plan, calls), functools.partial(function, *args, **fixtures), calls))

    return repetition


def _set_up_again(function: Callable[..., Any], case: object) -> Callable[..., Any]:
    """A test of unittest gets ``setUp`` before each call and ``tearDown`` after it; other fixtures are set up once.

    Its instance has no more attributes than before the first call: unittest makes one for each test.
    """
    if not isinstance(case, unittest.TestCase) or inspect.iscoroutinefunction(function):
        return function
    first: dict[str, Any] = {}

    @functools.wraps(function)
    def call(*args: Any, **fixtures: Any) -> None:
        if first:
            case.tearDown()
            case.doCleanups()
            vars(case).clear()
            vars(case).update(first)
            case.setUp()
        else:
            first.update(vars(case))
        function(*args, **fixtures)

    return call
