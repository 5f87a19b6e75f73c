"""Measures the tasks of Huey's consumers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from memwatch.agent.work import spans
from memwatch.host_hooks import tasks
from memwatch.host_hooks.wrapping import wrap_method
from memwatch.records.work import TASK
from memwatch.sampling.type_names import type_name

_FAILURES = frozenset({"error", "timeout", "interrupted"})
"""Signals of Huey."""


def install() -> None:
    """Wrap what is loaded, once."""
    owner = getattr(sys.modules.get("huey.api"), "Huey", None)
    wrap_method(owner, "_execute", _execute)
    wrap_method(owner, "_emit", _emit)
    wrap_method(owner, "_run_pre_execute", _run_pre_execute)
    wrap_method(owner, "_run_post_execute", _run_post_execute)


def _execute(original: Callable[..., Any]) -> Callable[..., Any]:
    def execute(self: Any, task: Any, *arguments: Any, **named: Any) -> Any:
        job = tasks.begin(type_name(type(task)))  # Huey makes a class of each function, with its module and name
        if job is None:
            return original(self, task, *arguments, **named)
        try:
            result = original(self, task, *arguments, **named)
        except BaseException as raised:
            tasks.end(job, raised)
            raise
        tasks.end(job)
        return result

    return execute


def _run_pre_execute(original: Callable[..., Any]) -> Callable[..., Any]:
    """A hook of the program that traces has opened its span then."""

    def run_pre_execute(self: Any, *arguments: Any, **named: Any) -> Any:
        result = original(self, *arguments, **named)
        spans.note(TASK)
        return result

    return run_pre_execute


def _run_post_execute(original: Callable[..., Any]) -> Callable[..., Any]:
    def run_post_execute(self: Any, *arguments: Any, **named: Any) -> Any:
        spans.tell(TASK)
        return original(self, *arguments, **named)

    return run_post_execute


def _emit(original: Callable[..., Any]) -> Callable[..., Any]:
    def emit(self: Any, signal: Any, *arguments: Any, **named: Any) -> Any:
        if type(signal) is str and signal in _FAILURES:
            tasks.failed()
        return original(self, signal, *arguments, **named)

    return emit
