"""Measures the messages of Dramatiq's workers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from memwatch.agent.work import spans
from memwatch.host_hooks import tasks
from memwatch.host_hooks.reading import read
from memwatch.host_hooks.wrapping import wrap_method
from memwatch.records.work import TASK

_MESSAGE = "process_message"
"""What brokers tell their middleware before and after an actor runs."""


def install() -> None:
    """Wrap what is loaded, once."""
    worker, broker = sys.modules.get("dramatiq.worker"), sys.modules.get("dramatiq.broker")
    wrap_method(getattr(worker, "_WorkerThread", None), "process_message", _process_message)
    wrap_method(getattr(broker, "MessageProxy", None), "stuff_exception", _stuff_exception)
    wrap_method(getattr(broker, "Broker", None), "emit_before", _emit_before)
    wrap_method(getattr(broker, "Broker", None), "emit_after", _emit_after)


def _process_message(original: Callable[..., Any]) -> Callable[..., Any]:
    def process_message(self: Any, message: Any) -> Any:
        job = tasks.begin(read(message, "actor_name"))
        if job is None:
            return original(self, message)
        try:
            return original(self, message)
        finally:
            tasks.end(job)

    return process_message


def _emit_before(original: Callable[..., Any]) -> Callable[..., Any]:
    """Middleware that traces has opened its span then."""

    def emit_before(self: Any, signal: Any, *arguments: Any, **named: Any) -> Any:
        result = original(self, signal, *arguments, **named)
        if type(signal) is str and signal == _MESSAGE:
            spans.note(TASK)
        return result

    return emit_before


def _emit_after(original: Callable[..., Any]) -> Callable[..., Any]:
    def emit_after(self: Any, signal: Any, *arguments: Any, **named: Any) -> Any:
        if type(signal) is str and signal == _MESSAGE:
            spans.tell(TASK)
        return original(self, signal, *arguments, **named)

    return emit_after


def _stuff_exception(original: Callable[..., Any]) -> Callable[..., Any]:
    """The worker catches what the actor raises, and forgets it at the end of the message."""

    def stuff_exception(self: Any, exception: Any) -> Any:
        tasks.failed()
        return original(self, exception)

    return stuff_exception
