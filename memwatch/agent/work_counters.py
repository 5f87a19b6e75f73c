"""What this process has done: requests and tasks, so that growth can be given per request and per task.

``None`` until the process is known to do the one or the other. Counted per process: a forked child starts at zero.
"""

from __future__ import annotations

from memwatch.transport import gevent_compat

_guard = gevent_compat.new_lock()
_requests: int | None = None
_tasks: int | None = None


def expect_requests() -> None:
    """This process serves requests: report 0 rather than nothing before the first one."""
    global _requests  # noqa: PLW0603 - one count per process
    with _guard:
        _requests = _requests or 0


def expect_tasks() -> None:
    """This process executes tasks: report 0 rather than nothing before the first one."""
    global _tasks  # noqa: PLW0603 - one count per process
    with _guard:
        _tasks = _tasks or 0


def count_request() -> None:
    """One more HTTP request."""
    global _requests  # noqa: PLW0603 - one count per process
    with _guard:
        _requests = (_requests or 0) + 1


def count_task() -> None:
    """One more Celery task."""
    global _tasks  # noqa: PLW0603 - one count per process
    with _guard:
        _tasks = (_tasks or 0) + 1


def requests_handled() -> int | None:
    """HTTP requests since the process started; ``None`` where none is expected."""
    return _requests


def tasks_handled() -> int | None:
    """Celery tasks since the process started; ``None`` where none is expected."""
    return _tasks


def reset() -> None:
    """Start at zero in a forked child: its parent's work is not its own."""
    global _guard, _requests, _tasks  # noqa: PLW0603 - one count per process
    _guard = gevent_compat.new_lock()
    _requests = None if _requests is None else 0
    _tasks = None if _tasks is None else 0
