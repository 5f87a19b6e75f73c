"""Tells the agent which job runs: around each request of Django, task of Celery or ``django.tasks``, and command.

Django's own signals do not do for requests: the one at the beginning runs in another context under ASGI, and none knows
the view. So two methods of Django's handler, and one of its commands, are wrapped; whatever goes wrong here stays here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from memwatch.agent.config.values import OFF
from memwatch.agent.work import meter, spans
from memwatch.agent.work.job import Job, cleaned, current
from memwatch.host_hooks import requests
from memwatch.host_hooks.reading import is_exactly, read
from memwatch.host_hooks.wrapping import wrap_method
from memwatch.records.work import COMMAND, NO_VIEW, TASK, VIEW

_HANDLERS = "django.core.handlers.base"
_COMMANDS = "django.core.management.base"
_TASKS = "django.tasks.signals"
"""Django 6.0 has tasks of its own, which its workers run."""
_BACKPORT = "django_tasks.signals"
"""The same tasks for older Djangos: the package django-tasks."""


def install(*, recorded: bool = True, traces: str = OFF) -> None:
    """Measure the jobs of this process and of those forked from it.

    ``recorded``: the flight record names them; ``traces``: how they are linked with the program's traces.
    """
    meter.begin_process(recorded=recorded, traces=traces)
    for name in (_HANDLERS, _COMMANDS, _TASKS, _BACKPORT):
        package = name.rpartition(".")[0]
        wanted = package in sys.modules if name == _BACKPORT else importlib.util.find_spec(package) is not None
        if wanted:  # the backport changes classes of Django as it is imported: only the site may decide on that
            importlib.import_module(name)
    wrap()


def wrap() -> None:
    """Wrap what is loaded of Django, once."""
    handler = getattr(sys.modules.get(_HANDLERS), "BaseHandler", None)
    wrap_method(handler, "resolve_request", _resolve_request)
    wrap_method(handler, "get_response", _get_response)
    wrap_method(handler, "get_response_async", _get_response_async)
    if spans.wanted():
        wrap_method(handler, "_get_response", _innermost)
        wrap_method(handler, "_get_response_async", _innermost_async)
    commands = sys.modules.get(_COMMANDS)
    if commands is not None:
        wrap_method(commands.BaseCommand, "execute", _execute)
    for base in (_TASKS, _BACKPORT):
        task = getattr(sys.modules.get(f"{base.rpartition('.')[0]}.base"), "Task", None)
        wrap_method(task, "call", _call)
        wrap_method(task, "acall", _acall)
    for tasks in filter(None, map(sys.modules.get, (_TASKS, _BACKPORT))):
        tasks.task_started.connect(_begin_django_task, dispatch_uid="memwatch.host_hooks.jobs")
        tasks.task_finished.connect(_end_django_task, dispatch_uid="memwatch.host_hooks.jobs")


def _innermost(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Within all middleware: there the span of the request has not ended."""

    def _get_response(self: Any, request: Any) -> Any:
        try:
            return original(self, request)
        finally:
            spans.tell(VIEW)

    return _get_response


def _innermost_async(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    async def _get_response_async(self: Any, request: Any) -> Any:
        try:
            return await original(self, request)
        finally:
            spans.tell(VIEW)

    return _get_response_async


def _get_response(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def get_response(self: Any, request: Any) -> Any:
        if requests.seen():
            meter.name(VIEW, NO_VIEW)
            return original(self, request)
        job = meter.begin(VIEW)
        if job is None:
            return original(self, request)
        try:
            response = original(self, request)
        except BaseException as raised:
            _fail(job, request, raised)
            raise
        _until_closed(job, request, response)
        return response

    return get_response


def _get_response_async(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    async def get_response_async(self: Any, request: Any) -> Any:
        if requests.seen():
            meter.name(VIEW, NO_VIEW)
            return await original(self, request)
        job = meter.begin(VIEW)
        if job is None:
            return await original(self, request)
        try:
            response = await original(self, request)
        except BaseException as raised:  # a client that hangs up cancels the view
            _fail(job, request, raised)
            raise
        _until_closed(job, request, response)
        return response

    return get_response_async


def _resolve_request(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The view's name is known before the view runs: who is killed in it has said which one it was."""

    def resolve_request(self: Any, request: Any) -> Any:
        match = original(self, request)
        meter.name(VIEW, _name(match))
        return match

    return resolve_request


def _fail(job: Job, request: Any, raised: BaseException) -> None:
    job.name = _view(request)
    requests.fail(job, raised)


def _until_closed(job: Job, request: Any, response: Any) -> None:
    """The job lasts until the response is closed: one that streams has then been sent."""
    job.leave()
    try:
        match, status, closers = request.resolver_match, response.status_code, response._resource_closers
    except Exception:  # noqa: BLE001 - a request or response of the host's own kind: one by one
        match, status, closers = (
            read(request, "resolver_match"), read(response, "status_code"), read(response, "_resource_closers"),
        )  # fmt: skip
    job.name = job.name or _name(match)
    job.error = type(status) is int and status >= 500
    if type(closers) is list:
        closers.append(job.end)
    else:
        job.end()


def _view(request: Any) -> str:
    """The view's name as the resolver gives it: ``namespace:name``, or its dotted path."""
    return _name(read(request, "resolver_match"))


def _name(match: object) -> str:
    return cleaned(read(match, "view_name")) or NO_VIEW


def _execute(original: Callable[..., Any]) -> Callable[..., Any]:
    def execute(self: Any, *arguments: Any, **options: Any) -> Any:
        job = meter.begin(COMMAND, cleaned(read(type(self), "__module__")).rpartition(".")[2])
        if job is None:
            return original(self, *arguments, **options)
        try:
            return original(self, *arguments, **options)
        except BaseException as raised:
            job.error = not _leaves_well(raised)
            raise
        finally:
            job.end()

    return execute


def _leaves_well(raised: BaseException) -> bool:
    code = read(raised, "code")
    return issubclass(type(raised), SystemExit) and (code is None or (is_exactly(code, int, bool) and not code))


def _end(mark: object, *, failed: bool, cut_off: bool = False) -> None:
    job = current(TASK, mark)
    if job is not None:
        job.error, job.cut_off = failed, cut_off
        job.end()


def _begin_django_task(task_result: Any = None, **_kwargs: Any) -> None:
    meter.begin(TASK, read(read(task_result, "task"), "module_path"), mark=read(task_result, "id"))


def _call(original: Callable[..., Any]) -> Callable[..., Any]:
    """Receivers of ``task_started`` that trace have opened their span then."""

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        spans.note(TASK, cleaned(read(self, "module_path")))
        try:
            return original(self, *arguments, **named)
        finally:
            spans.tell(TASK)

    return call


def _acall(original: Callable[..., Any]) -> Callable[..., Any]:
    async def acall(self: Any, *arguments: Any, **named: Any) -> Any:
        spans.note(TASK, cleaned(read(self, "module_path")))
        try:
            return await original(self, *arguments, **named)
        finally:
            spans.tell(TASK)

    return acall


def _end_django_task(task_result: Any = None, **_kwargs: Any) -> None:
    _end(read(task_result, "id"), failed=cleaned(read(task_result, "status")) == "FAILED")
