"""The views: ``export`` does what the program wants, ``feed`` does it asynchronously, ``home`` is the ordinary load."""

import asyncio

from django.http import HttpRequest, HttpResponse
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


_views = [path("home", home, name="home"), path("export", export, name="export"), path("feed", feed, name="feed")]
urlpatterns = [path("reports/", include((_views, "reports")))]
