"""Django translations of four languages, loaded as visitors come."""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.django_site import client

CASE = Case(half="scoring", what="translation catalogues loaded by use")
_get: Any = None
_LANGUAGES = ("en", "de", "fr", "pt")


def setup() -> None:
    global _get

    def view(request: Any) -> Any:
        from django.http import HttpResponse
        from django.utils import formats, translation

        with translation.override(request.GET["lang"]):
            return HttpResponse(translation.gettext("Yes") + formats.localize(3.5))

    _get = client(view)


def step(i: int) -> None:
    if i % 20 == 0:
        _get(f"/?lang={_LANGUAGES[min(3, i // 3000) if i % 60 else 0]}")
