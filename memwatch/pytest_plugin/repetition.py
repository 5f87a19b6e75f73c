"""A marked test in place of itself: called again and again with the same fixtures, and judged."""

from __future__ import annotations

import functools
import inspect
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
