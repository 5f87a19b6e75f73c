"""For ``gunicorn.conf.py`` on Linux before 6.15, where only the parent learns how a process has ended.

::

    from memwatch.gunicorn import child_exit, worker_abort
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

logger = logging.getLogger("memwatch.agent")


def child_exit(server: Any, worker: Any) -> None:
    """In gunicorn's main process: note how the worker has ended, in what it has left."""
    try:
        status = _status()
        if status is not None:
            _note(worker.pid, status)
    except Exception:  # noqa: BLE001 - gunicorn is never to feel it
        logger.warning("memwatch: how worker %s has ended could not be noted", getattr(worker, "pid", "?"))


def worker_abort(worker: Any) -> None:
    """In the worker: gunicorn's time limit ends it."""
    from memwatch.agent.flight import ending  # noqa: PLC0415 - only where that happens
    from memwatch.records.flight import TIME_LIMIT  # noqa: PLC0415

    ending.note(TIME_LIMIT)


def _status() -> int | None:
    """Gunicorn does not hand it over: it is a local variable of the function that calls the hook."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "reap_workers":
            status = frame.f_locals.get("status")
            return os.waitstatus_to_exitcode(status) if type(status) is int else None
        frame = frame.f_back
    return None


def _note(pid: int, status: int) -> None:
    """The settings alone are read: the main process need not load Django's applications."""
    from memwatch.agent.flight import notes  # noqa: PLC0415 - only where a worker has ended
    from memwatch.conf import get_settings  # noqa: PLC0415
    from memwatch.transport.flights import folder  # noqa: PLC0415

    notes.write_status(folder.folders_of(get_settings().transport_url), pid, status)
