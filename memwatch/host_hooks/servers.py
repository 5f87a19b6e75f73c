"""Counts requests where a server has loaded its application: gunicorn's in a worker, uvicorn's in its configuration."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WRAPPED = "__memwatch__"
GUNICORN = {
    "workers": "workers", "threads": "threads", "timeout": "timeout", "preload_app": "preload",
    "max_requests": "max_requests", "max_requests_jitter": "max_requests_jitter", "worker_class": "worker_class",
}  # fmt: skip
"""Key of gunicorn's configuration, and ours."""
gunicorn_values: dict[str, int | str] = {}
"""Of the worker that this process is, by gunicorn's keys: read when it loads its application, before an agent runs."""
_WSGI_WORKERS = ("gunicorn.workers.sync", "gunicorn.workers.gthread", "gunicorn.workers.base_async")
"""Others of gunicorn's workers serve ASGI applications, or one of Tornado's."""


def install() -> None:
    """Wrap what is loaded of both, once. It must be in place before they load an application."""
    _wrap(getattr(sys.modules.get("gunicorn.workers.base"), "Worker", None), "load_wsgi", _load_wsgi)
    _wrap(getattr(sys.modules.get("uvicorn.config"), "Config", None), "load", _load)


def _wrap(owner: Any, name: str, function: Any) -> None:
    original = getattr(owner, name, None)
    if original is None or hasattr(original, _WRAPPED):
        return

    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        result = original(self, *arguments, **named)
        try:
            function(self)
        except Exception:  # noqa: BLE001 - another version of the server: its requests are not counted
            return result
        return result

    wrapped.__memwatch__ = True  # type: ignore[attr-defined]
    wrapped.__wrapped__ = original  # type: ignore[attr-defined]
    wrapped.__name__, wrapped.__qualname__, wrapped.__doc__ = original.__name__, original.__qualname__, original.__doc__
    setattr(owner, name, wrapped)


def _load_wsgi(worker: Any) -> None:
    settings = worker.cfg.settings
    for key in GUNICORN:
        value = settings[key].value
        if type(value) is type:
            value = value.__name__
        if any(type(value) is each for each in (bool, int, str)):  # "in" would ask a metaclass
            gunicorn_values[key] = value
    if any(each.__module__ in _WSGI_WORKERS for each in type(worker).__mro__):
        from memwatch.wsgi import WsgiMiddleware  # noqa: PLC0415 - the one that is needed

        address = getattr(worker.app, "app_uri", None)
        worker.wsgi = WsgiMiddleware(worker.wsgi, address if type(address) is str else "")


def _load(config: Any) -> None:
    """Uvicorn has put middlewares of its own around the application: the name is that of the application."""
    from memwatch.asgi import AsgiMiddleware  # noqa: PLC0415 - as above

    address = config.app
    middleware = AsgiMiddleware(address, address if type(address) is str else "")
    middleware.app = config.loaded_app
    config.loaded_app = middleware
