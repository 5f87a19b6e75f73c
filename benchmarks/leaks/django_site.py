"""A Django site in this process, for the cases that need one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any


def configure(*, templates: Mapping[str, str] | None = None, urls: ModuleType | None = None, **settings: Any) -> None:
    """Configure Django with SQLite in memory and templates from a dict."""
    import django
    from django.conf import settings as django_settings

    loader = [("django.template.loaders.cached.Loader", [("django.template.loaders.locmem.Loader", templates or {})])]
    django_settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": loader}}],
        ROOT_URLCONF=urls,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="of a benchmark",
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        **settings,
    )
    django.setup()


def client(view: Callable[[Any], Any], *, templates: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """A function that sends GET requests through the whole handler to ``view``, which answers every path."""
    from django.urls import re_path

    urls = ModuleType("urls")
    urls.urlpatterns = [re_path("", view)]  # type: ignore[attr-defined]
    configure(templates=templates, urls=urls)
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import RequestFactory

    handler, factory = WSGIHandler(), RequestFactory()

    def get(path: str) -> Any:
        request = factory.get(path)
        response = handler.get_response(request)
        response.close()
        return response

    return get
