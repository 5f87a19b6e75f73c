"""Counts the requests of a WSGI application, and measures what memory each kind of them takes.

``memwatch run`` puts it around the application of gunicorn and around Flask's. Elsewhere, by hand::

    from memwatch.wsgi import WsgiMiddleware

    application = WsgiMiddleware(application)

It does nothing in a process without an agent.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from memwatch.agent.work.job import Job

_REQUESTS = "memwatch.host_hooks.requests"
"""Loaded where an agent measures jobs; this module is light, for it is loaded before."""


class WsgiMiddleware:
    """Around a WSGI application. ``name``: of its requests, where they reach no route that memwatch knows."""

    def __init__(self, app: Any, name: str = "") -> None:
        self.app = self._named = app
        self._name = name

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer a request, as PEP 3333 has it."""
        return answer(self.app, environ, start_response, self.name)

    def __getattr__(self, name: str) -> Any:
        """A server's hooks may ask for what the application has."""
        if name == "app":  # not set yet, in a copy
            raise AttributeError(name)
        return getattr(self.app, name)

    def name(self) -> str:
        """Of a request without a route."""
        if not self._name:
            self._name = sys.modules[_REQUESTS].application_name(self._named)
        return self._name


def answer(
    app: Callable[[Any, Any], Any], environ: Any, start_response: Any, name: Callable[[], str]
) -> Iterable[bytes]:
    """What ``app`` answers; the job ends when the server closes the answer."""
    requests = sys.modules.get(_REQUESTS)
    job = None if requests is None else requests.begin(name())
    if requests is None or job is None:
        return app(environ, start_response)  # type: ignore[no-any-return]

    def noting_start(status: Any, *arguments: Any, **named: Any) -> Any:
        requests.note_status(job, status)
        return start_response(status, *arguments, **named)

    try:
        result = app(environ, noting_start)
    except BaseException as raised:
        requests.fail(job, raised)
        raise
    if type(result) is list or type(result) is tuple or _is_file(result, environ):
        job.end()
        return result  # type: ignore[no-any-return]
    job.leave()
    return _Answer(result, job)


def _is_file(result: object, environ: Any) -> bool:
    """A server that gave a wrapper for files wants it back as it is, to send the file without reading it."""
    return type(environ) is dict and type(result) is environ.get("wsgi.file_wrapper")


class _Answer:
    __slots__ = ("_job", "_result")

    def __init__(self, result: Any, job: Job) -> None:
        self._result = result
        self._job = job

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._result
        except GeneratorExit:  # the server reads no further
            raise
        except BaseException as raised:
            sys.modules[_REQUESTS].note_raised(self._job, raised)
            raise

    def close(self) -> None:
        try:
            close = getattr(self._result, "close", None)
            if close is not None:
                close()
        finally:
            self._job.end()
