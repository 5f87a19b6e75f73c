"""Measures the messages of Dramatiq's workers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from memwatch.host_hooks import tasks
from memwatch.host_hooks.reading import read
from memwatch.host_hooks.wrapping import wrap_method


def install() -> None:
    """Wrap what is loaded, once."""
    worker, broker = sys.modules.get("dramatiq.worker"), sys.modules.get("dramatiq.broker")
    wrap_method(getattr(worker, "_WorkerThread", None), "process_message", _process_message)
    wrap_method(getattr(broker, "MessageProxy", None), "stuff_exception", _stuff_exception)


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


def _stuff_exception(original: Callable[..., Any]) -> Callable[..., Any]:
    """The worker catches what the actor raises, and forgets it at the end of the message."""

    def stuff_exception(self: Any, exception: Any) -> Any:
        tasks.failed()
        return original(self, exception)

    return stuff_exception
