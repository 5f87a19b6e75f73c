"""Why this process leaves, where that can be known: noted by hooks, or read from gunicorn's worker."""

from __future__ import annotations

import os
import sys
from types import FunctionType
from typing import Any

from memwatch.agent.work import meter
from memwatch.records.flight import ENDINGS, RECYCLED, STOPPED, TIME_LIMIT

_noted = ""


def note(ending: str) -> None:
    """This process ends for this reason; the first one counts."""
    global _noted  # noqa: PLW0603 - one per process
    if not _noted and ending in ENDINGS:
        _noted = ending
        slots = meter.slots()
        if ending == TIME_LIMIT and slots is not None:
            slots.is_frozen = True


def forget(ending: str = "") -> None:
    """It goes on after all: what was noted is not the reason; whatever was, where none is given."""
    global _noted  # noqa: PLW0603 - one per process
    if not ending or _noted == ending:
        _noted = ""


os.register_at_fork(after_in_child=forget)


def known() -> str:
    """Why it leaves, asked when it does; empty where nothing says it."""
    return _noted or _of_gunicorn()


def is_by_exception() -> bool:
    """Whether the interpreter has printed an exception that nothing caught: it remembers the last one."""
    return getattr(sys, "last_value", None) is not None


def _of_gunicorn() -> str:
    """A worker that has handled as many requests as it may is replaced."""
    worker = gunicorn_worker()
    if worker is None:
        return ""
    from memwatch.diagnosis.heap import introspection  # noqa: PLC0415 - only where gunicorn runs

    handled, most = (introspection.attribute(worker, name) for name in ("nr", "max_requests"))
    if type(handled) is not int or type(most) is not int:
        return STOPPED
    return RECYCLED if handled >= most or (most < sys.maxsize and _is_of_uvicorn(worker)) else STOPPED


def _is_of_uvicorn(worker: Any) -> bool:
    """Whether it counts its requests elsewhere, and only gets as far as this when they are as many as it may handle.

    What stops uvicorn is a signal, by which it ends itself in the end (from 0.29 on).
    """
    server = getattr(sys.modules.get("uvicorn.server"), "Server", None)
    modules = {kind.__module__.partition(".")[0] for kind in type(worker).__mro__}
    return bool(modules & {"uvicorn", "uvicorn_worker"}) and "capture_signals" in vars(server or object)


def gunicorn_worker() -> Any:
    """Gunicorn's worker object of this process; ``None``: there is none."""
    if "gunicorn.workers.base" not in sys.modules:
        return None
    from memwatch.diagnosis import pace  # noqa: PLC0415 - only where gunicorn runs

    return pace.gunicorn_worker()


def watch_gunicorn() -> None:
    """Note it when gunicorn's time limit aborts this worker: it calls the site's hook of that name, in the worker."""
    worker = gunicorn_worker()
    if worker is None:
        return
    from memwatch.diagnosis.heap.introspection import attribute, code_of  # noqa: PLC0415 - only where gunicorn runs

    settings = attribute(attribute(worker, "cfg"), "settings")
    setting: Any = settings.get("worker_abort") if type(settings) is dict else None
    hook: Any = attribute(setting, "value")

    def worker_abort(worker: Any) -> Any:
        note(TIME_LIMIT)
        return hook(worker)

    is_watched = type(hook) is FunctionType and code_of(hook) is worker_abort.__code__
    if callable(hook) and not is_watched:
        setting.value = worker_abort
