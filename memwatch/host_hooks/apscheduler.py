"""Measures the jobs of APScheduler 3.

Its executors import the function that runs a job by its name: it is wrapped before they do, and this module is light.
"""

from __future__ import annotations

import functools
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TASKS = "memwatch.host_hooks.tasks"
"""Loaded where an agent measures jobs."""
_WRAPPED = "__memwatch__"


def install() -> None:
    """Wrap what is loaded, once."""
    base = sys.modules.get("apscheduler.executors.base")
    for name, wrapper in (("run_job", _run_job), ("run_coroutine_job", _run_coroutine_job)):
        original = getattr(base, name, None)
        if original is not None and not hasattr(original, _WRAPPED):
            wrapped = wrapper(original)
            # A pool of processes pickles it by its module and name.
            wrapped.__module__, wrapped.__name__, wrapped.__qualname__ = original.__module__, name, name
            wrapped.__memwatch__ = True  # type: ignore[attr-defined]
            setattr(base, name, wrapped)


def _run_job(original: Callable[..., Any]) -> Callable[..., Any]:
    def run_job(job: Any, *arguments: Any, **named: Any) -> Any:
        tasks = sys.modules.get(_TASKS)
        measured = None if tasks is None else tasks.begin(_name(job))
        if tasks is None or measured is None:
            return original(job, *arguments, **named)
        try:
            events = original(job, *arguments, **named)
        except BaseException as raised:
            tasks.end(measured, raised)
            raise
        measured.error = _failed(events)
        tasks.end(measured)
        return events

    return run_job


def _run_coroutine_job(original: Callable[..., Any]) -> Callable[..., Any]:
    async def run_coroutine_job(job: Any, *arguments: Any, **named: Any) -> Any:
        tasks = sys.modules.get(_TASKS)
        measured = None if tasks is None else tasks.begin(_name(job))
        if tasks is None or measured is None:
            return await original(job, *arguments, **named)
        try:
            events = await original(job, *arguments, **named)
        except BaseException as raised:
            tasks.end(measured, raised)
            raise
        measured.error = _failed(events)
        tasks.end(measured)
        return events

    return run_coroutine_job


def _name(job: Any) -> object:
    """``shop.jobs:clean_up``: the function. What the program calls the job may be another text each time."""
    try:
        address = job.func_ref
        if type(address) is str:
            return address
        function = job.func
        while type(function) is functools.partial:
            function = function.func
        for each in (function, type(function)):
            module, name = getattr(each, "__module__", None), getattr(each, "__qualname__", None)
            if type(module) is type(name) is str:
                return f"{module}:{name}"
    except Exception:  # noqa: BLE001, S110 - of another version
        pass
    return None


def _failed(events: object) -> bool:
    return type(events) is list and any(getattr(each, "exception", None) is not None for each in events)
