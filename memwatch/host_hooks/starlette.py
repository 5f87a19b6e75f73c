"""Names the requests of Starlette and FastAPI by their routes, e.g. ``GET /items/{item_id}``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from memwatch import asgi
from memwatch.agent.work.job import cleaned
from memwatch.host_hooks import requests
from memwatch.host_hooks.reading import read
from memwatch.host_hooks.wrapping import wrap_method
from memwatch.records.work import NO_VIEW

_mounted: ContextVar[str] = ContextVar("memwatch_mounted", default="")
"""The templates of the mounts that lead to what runs."""


def install() -> None:
    """Wrap what is loaded, once."""
    routing = sys.modules.get("starlette.routing")
    wrap_method(getattr(sys.modules.get("starlette.applications"), "Starlette", None), "__call__", _application)
    wrap_method(getattr(routing, "Mount", None), "handle", _mount)
    for owner in (getattr(routing, "Route", None), getattr(sys.modules.get("fastapi.routing"), "APIRoute", None)):
        if owner is not None and "handle" in vars(owner):
            wrap_method(owner, "handle", _route)


def _no_view() -> str:
    return NO_VIEW


def _application(original: Callable[..., Any]) -> Callable[..., Any]:
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        if requests.seen():
            requests.rename(NO_VIEW)
            await original(self, scope, receive, send)
        else:
            await asgi.answer(original.__get__(self), scope, receive, send, _no_view)

    return call


def _mount(original: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(self: Any, scope: Any, receive: Any, send: Any) -> None:
        before = _mounted.get()
        path = before + cleaned(read(self, "path"))
        requests.rename(requests.route_name(_of(scope, "method"), path))
        token = _mounted.set(path)
        try:
            await original(self, scope, receive, send)
        finally:
            _mounted.reset(token)

    return handle


def _route(original: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(self: Any, scope: Any, receive: Any, send: Any) -> None:
        path = cleaned(_path(self, scope))
        requests.rename(requests.route_name(_of(scope, "method"), path and _mounted.get() + path))
        await original(self, scope, receive, send)

    return handle


def _path(route: Any, scope: Any) -> object:
    """FastAPI notes in the scope under which prefix a router was included."""
    included = _of(_of(scope, "fastapi"), "effective_route_context")
    if included is not None and read(included, "original_route") is route:
        return read(included, "path_format")
    return read(route, "path")


def _of(mapping: object, key: str) -> Any:
    return mapping.get(key) if type(mapping) is dict else None
