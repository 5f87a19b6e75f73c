"""After how long a Celery worker kills the process that runs a task."""

from __future__ import annotations

import sys
from typing import Any

from memwatch.host_hooks.reading import is_exactly, read
from memwatch.sampling.identity import own_arguments

_OPTION = "--time-limit"
_LONGEST_S = 1e8

_of_worker: dict[int, float] = {}
"""By the id of the application, which lives as long as the process."""


def hard_limit_s(task: object, request: object) -> float:
    """The hard limit of this run: of its message, of the task, or of the worker; 0: none.

    Celery's pool of processes alone keeps it by a kill: with threads, greenlets or one task at a time there is none.
    """
    if not is_pool_child():
        return 0.0
    given = read(request, "timelimit")
    own = given[0] if is_exactly(given, list, tuple) and given else None
    return _seconds(own) or _seconds(read(task, "time_limit")) or _worker_limit_s(read(task, "app"))


def is_pool_child() -> bool:
    """Whether billiard has started this process."""
    current = read(sys.modules.get("billiard.process"), "current_process")
    return current is not None and read(current(), "_parent_pid") is not None


def _worker_limit_s(app: Any) -> float:
    limit_s = _of_worker.get(id(app))
    if limit_s is None:
        limit_s = _given(own_arguments()) or _seconds(read(read(app, "conf"), "task_time_limit"))
        if len(_of_worker) < 100:
            _of_worker[id(app)] = limit_s
    return limit_s


def _given(arguments: list[str]) -> float:
    """What the worker's command line says."""
    for number, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == _OPTION:
            return _seconds(value or "".join(arguments[number + 1 : number + 2]))
    return 0.0


def _seconds(value: Any) -> float:
    try:
        seconds = float(value) if is_exactly(value, int, float, str) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return seconds if 0 < seconds < _LONGEST_S else 0.0
