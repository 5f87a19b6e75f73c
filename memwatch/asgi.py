"""Counts the requests of an ASGI application, and measures what memory each kind of them takes.

``memwatch run`` puts it around the application of uvicorn and around Starlette's and FastAPI's. Elsewhere, by hand::

    from memwatch.asgi import AsgiMiddleware

    app = AsgiMiddleware(app)

It does nothing in a process without an agent, and lets all pass that is no HTTP request.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_REQUESTS = "memwatch.host_hooks.requests"
"""Loaded where an agent measures jobs; this module is light, for it is loaded before."""


class AsgiMiddleware:
    """Around an ASGI 3 application. ``name``: of its requests, where they reach no route that memwatch knows."""

    def __init__(self, app: Any, name: str = "") -> None:
        self.app = self._named = app
        self._name = name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await answer(self.app, scope, receive, send, self.name)

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


async def answer(
    app: Callable[[Any, Any, Any], Any], scope: Any, receive: Any, send: Any, name: Callable[[], str]
) -> None:
    """Have ``app`` answer; the job ends when it returns."""
    requests = sys.modules.get(_REQUESTS)
    is_request = requests is not None and type(scope) is dict and scope.get("type") == "http"
    job = requests.begin(name()) if requests is not None and is_request else None
    if requests is None or job is None:
        await app(scope, receive, send)
        return

    async def noting_send(message: Any) -> None:
        if type(message) is dict and message.get("type") == "http.response.start":
            requests.note_status(job, message.get("status"))
        await send(message)

    try:
        await app(scope, receive, noting_send)
    except BaseException as raised:
        requests.fail(job, raised)
        raise
    job.end()
