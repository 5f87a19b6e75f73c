"""The views: ``export`` does what the program wants, ``feed`` does it asynchronously, ``stream`` within its answer.

``home`` is the ordinary load.
"""

import asyncio
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path

from deathsite.deeds import do, wanted


def home(request: HttpRequest) -> HttpResponse:
    """A page of every day."""
    return HttpResponse(", ".join(str(number) for number in range(2_000)))


def export(request: HttpRequest) -> HttpResponse:
    """The deed."""
    do("export", *wanted(request.GET))
    return HttpResponse("done")


async def feed(request: HttpRequest) -> HttpResponse:
    """The deed, in the event loop."""
    await asyncio.sleep(0)
    do("feed", *wanted(request.GET))
    return HttpResponse("done")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """The deed, once a part of the answer has been sent."""

    def parts() -> Iterator[str]:
        yield "begun, "
        do("stream", *wanted(request.GET))
        yield "done"

    return StreamingHttpResponse(parts())


_views = [path(view.__name__, view, name=view.__name__) for view in (home, export, feed, stream)]
urlpatterns = [path("reports/", include((_views, "reports")))]
