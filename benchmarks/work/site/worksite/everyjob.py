"""What is kept at every job whatever its name: by a middleware, a signal of Celery, the base class of all tasks, a
handler of log records, a thread that writes jobs down, or a wrapper around the database's queries.
"""

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

BREADCRUMBS: dict[int, list[Any]] = {}
DEEDS: list[Any] = []
OUTCOMES: list[Any] = []
RECORDS: list[logging.LogRecord] = []
STATEMENTS: list[Any] = []
STATES: dict[str, tuple[float, str]] = {}
TRACES: list[Any] = []
WRITE_EVERY_S = 3.0
_number = itertools.count()
_log = logging.getLogger("worksite.everyjob")
_unwritten: queue.SimpleQueue[str] = queue.SimpleQueue()


class Trace:
    """Of one request."""

    def __init__(self, path: str) -> None:
        self.number, self.path, self.began = next(_number), path, time.monotonic()
        self.headers: dict[str, str] = {}


class Outcome:
    """Of one task."""

    def __init__(self, task_id: str) -> None:
        self.task_id, self.tags = task_id, ["task"]


class Deed:
    """What a thread has written down of a job."""

    def __init__(self, name: str) -> None:
        self.number, self.name, self.marks = next(_number), name, [1, 2]


class Statement:
    """What a job has asked the database."""

    def __init__(self, text: str, parameters: Any) -> None:
        self.number, self.text, self.parameters = next(_number), text, list(parameters or ())


class Breadcrumb:
    """What a thread did before an error, had there been one."""

    def __init__(self, name: str) -> None:
        self.number, self.name, self.data = next(_number), name, {"level": "info"}


class Buffer(logging.Handler):
    """Of records, until somebody sends them: here nobody does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        RECORDS.append(record)


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


_log.setLevel(logging.INFO)
_log.propagate = False
_log.addHandler(Buffer())


def _record(name: str) -> None:
    _log.info("%s begins as number %d", name, next(_number))


_writing: list[threading.Thread] = []
_starting = threading.Lock()


def _writer() -> None:
    with _starting:
        if not _writing:
            _writing.append(threading.Thread(target=_write, daemon=True))
            _writing[0].start()


def _write() -> None:
    while True:
        time.sleep(WRITE_EVERY_S)
        DEEDS.extend(Deed(_unwritten.get()) for _ in range(_unwritten.qsize()))


def _recorder(name: str) -> None:
    _writer()
    _unwritten.put(name)


def _note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    STATEMENTS.append(Statement(sql, params))
    return execute(sql, params, many, context)


def _statements(_name: str) -> None:
    if _note not in connection.execute_wrappers:  # each thread has a connection of its own
        connection.execute_wrappers.append(_note)


def _breadcrumb(name: str) -> None:
    BREADCRUMBS.setdefault(threading.get_ident(), []).append(Breadcrumb(name))


BEGIN: dict[str, Callable[[str], None]] = {
    "records": _record, "recorder": _recorder, "statements": _statements, "breadcrumbs": _breadcrumb,
}  # fmt: skip
"""What happens at the begin of each job; the others come from the server."""


def kept() -> int:
    """By all of them; what a thread has not yet written down counts as well."""
    lists = (DEEDS, OUTCOMES, RECORDS, STATEMENTS, STATES, TRACES, *list(BREADCRUMBS.values()))
    return sum(map(len, lists)) + _unwritten.qsize()
