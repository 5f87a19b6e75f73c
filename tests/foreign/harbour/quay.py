"""The routes of a quay."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def berth(_request: HttpRequest) -> HttpResponse:
    """Where the ship lies."""
    return HttpResponse("berth 7")


urlpatterns = [path("", berth)]
