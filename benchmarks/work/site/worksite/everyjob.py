"""What is kept at every job whatever its name: by a middleware, a signal of Celery, or the base class of all tasks."""

import itertools
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

OUTCOMES: list[Any] = []
STATES: dict[str, tuple[float, str]] = {}
TRACES: list[Any] = []
_number = itertools.count()


class Trace:
    """Of one request."""

    def __init__(self, path: str) -> None:
        self.number, self.path, self.began = next(_number), path, time.monotonic()
        self.headers: dict[str, str] = {}


class Outcome:
    """Of one task."""

    def __init__(self, task_id: str) -> None:
        self.task_id, self.tags = task_id, ["task"]


def traced(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A middleware that keeps a trace of each request."""

    def middleware(request: HttpRequest) -> HttpResponse:
        trace = Trace(request.path)
        trace.headers = dict(request.headers)
        TRACES.append(trace)
        return get_response(request)

    return middleware


def remember(task_id: str = "", **_: object) -> None:
    """How each task has ended, as texts: a handler of ``task_postrun``."""
    STATES[task_id] = (time.time(), f"ended as number {next(_number)}")


def kept() -> int:
    """By all of them."""
    return len(OUTCOMES) + len(STATES) + len(TRACES)
