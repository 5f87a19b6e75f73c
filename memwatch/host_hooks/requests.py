"""Requests of WSGI and ASGI applications, each measured as one job.

A server, a framework and a middleware may see the same request. The first begins the job and ends it; those within
it give it a better name: the route's instead of the application's.
"""

from __future__ import annotations

import sys
from typing import Any

from memwatch.agent import lifecycle, work_counters
from memwatch.agent.work import meter
from memwatch.agent.work.job import Job, cleaned, current, running
from memwatch.host_hooks.reading import read
from memwatch.records.work import VIEW
from memwatch.sampling.type_names import type_name

_SEEN = object()
"""What the jobs that begin here are known by."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def begin(name: str) -> Job | None:
    """A request begins; ``None`` where jobs are not measured, or within one that has begun."""
    if not meter.measures() or (running.get() is not None and seen()):
        return None
    lifecycle.ensure()
    work_counters.count_request()
    return meter.begin(VIEW, name, mark=_SEEN)


def seen() -> bool:
    """Whether this request has begun already."""
    job = current(VIEW, _SEEN)
    return job is not None and not job.ended and job.meter is meter.meter()


def rename(name: str) -> None:
    """Give the running request a better name."""
    if name:
        meter.name(VIEW, name)


def fail(job: Job, raised: BaseException) -> None:
    """The application raised, and the request ends."""
    note_raised(job, raised)
    job.end()


def note_raised(job: Job, raised: BaseException) -> None:
    """A request that is cancelled has not failed: its client went away."""
    kind = type(raised)
    cancelled = getattr(sys.modules.get("asyncio.exceptions"), "CancelledError", GeneratorExit)
    job.error = job.error or not issubclass(kind, (cancelled, GeneratorExit))
    job.cut_off = issubclass(kind, SystemExit | KeyboardInterrupt)


def note_status(job: Job, status: object) -> None:
    """``status``: of WSGI (``500 Internal Server Error``) or of ASGI (500)."""
    if type(status) is str:
        job.error = str.startswith(status, "5")
    elif type(status) is int:
        job.error = status >= 500


def application_name(application: Any) -> str:
    """One name for all requests of an application without routes that memwatch knows."""
    named = read(application, "__qualname__")
    if type(named) is str:
        module = read(application, "__module__")
        return cleaned(f"{module}.{named}" if type(module) is str else named)
    return cleaned(type_name(type(application)))


def route_name(method: object, path: object) -> str:
    """``GET /items/{item_id}``: the route's template; empty where there is none."""
    template = cleaned(path)
    if not template:
        return ""
    return cleaned(f"{method} {template}") if type(method) is str and method in _METHODS else template
