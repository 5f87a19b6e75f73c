"""Each quay has pages of its own; only the office's host has the site's ``ROOT_URLCONF``."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class RoutesOfTheHost:
    """Sets ``request.urlconf``, as sites of many tenants do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.get_host() != "office.quay.example.org":
            request.urlconf = "tests.foreign.harbour.quay"
        return self.get_response(request)
