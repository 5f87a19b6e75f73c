"""A view that keeps its page by request id, which never comes again."""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.django_site import client

CASE = Case(
    half="tuning",
    what="a module's dict of rendered pages by request id",
    leaks="untracked",
    culprit=("*.PAGES",),
)
PAGES: dict[str, str] = {}
_get: Any = None


def setup() -> None:
    global _get

    def view(request: Any) -> Any:
        from django.http import HttpResponse

        number = request.GET["id"]
        PAGES[number] = f"<p>order {number}</p>" * 2
        return HttpResponse(PAGES[number])

    _get = client(view)


def step(i: int) -> None:
    if i % 10 == 0:
        _get(f"/?id={i:08}")
