"""A view for each name of the program, and their addresses. ``shop:basket`` has a name; ``shop.views.basket`` none."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.signals import request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path
from django.urls.resolvers import URLPattern

from worksite.hog import take
from worksite.jobs import cost, job
from worksite.program import PROGRAM
from worksite.retained import handle

WAIT_S = 0.004
if PROGRAM["every_job"] == "handler":
    request_started.connect(handle)


def _view(name: str) -> Callable[..., Any]:
    run, slow_s = job(name), PROGRAM["slow"].get(name, 0.0)

    def view(request: HttpRequest) -> HttpResponse:
        time.sleep((PROGRAM["server"] == "gthread") * WAIT_S + slow_s)  # other threads run meanwhile
        return HttpResponse(run(request))

    async def asynchronous(request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(WAIT_S + slow_s)
        return HttpResponse(await sync_to_async(run)(request))

    # Of those under ASGI, some are asynchronous and some are not.
    found: Callable[..., Any] = asynchronous if PROGRAM["server"] == "asgi" and cost(name) % 2 else view
    if name in PROGRAM["streaming"]:
        found = _streaming(run)
    if "." in name:
        found.__module__, found.__name__ = name.rsplit(".", 1)
    return found


def _streaming(run: Callable[[object], str]) -> Callable[[HttpRequest], StreamingHttpResponse]:
    """A view whose job is done after it has returned, while the server asks for the pieces."""

    def pieces(request: HttpRequest) -> Iterator[str]:
        yield "<html>"
        time.sleep(WAIT_S)
        yield run(request)
        yield "</html>"

    async def asynchronous(request: HttpRequest) -> AsyncIterator[str]:
        yield "<html>"
        await asyncio.sleep(WAIT_S)
        yield await sync_to_async(run)(request)
        yield "</html>"

    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse((asynchronous if PROGRAM["server"] == "asgi" else pieces)(request))

    return view


def _patterns() -> list[Any]:
    spaces: dict[str, list[URLPattern]] = {}
    for name in PROGRAM["names"]:
        space, _, own = name.rpartition(":")
        found = path(name.replace(":", "/"), _view(name), name=own if space else None)
        spaces.setdefault(space, []).append(found)
    plain = spaces.pop("", [])
    return [*plain, *(path("", include((found, space))) for space, found in spaces.items())]


def hog(request: HttpRequest) -> HttpResponse:
    """Takes much memory for a moment."""
    return HttpResponse(str(take()))


def ready(request: HttpRequest) -> HttpResponse:
    """Whether it answers."""
    return HttpResponse("yes")


urlpatterns = [*_patterns(), path("hog", hog, name="hog"), path("ready", ready, name="ready")]
