"""Show what to do while memwatch's tables are missing, instead of an error."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from memwatch.models import connection

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

log = logging.getLogger("memwatch")
View = Callable[..., HttpResponse]


class GuardedAdmin(ModelAdmin):
    """An admin none of whose views fails for a migration that has not been run."""

    @property
    def urls(self) -> list[URLPattern]:
        """As ``get_urls`` has them, each view guarded."""
        return [
            URLPattern(found.pattern, self._guarded(found.callback), found.default_args, found.name)
            for found in self.get_urls()
        ]

    def _guarded(self, view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not settings.USE_TZ:
                return self._told(request, connection.WITHOUT_ZONES)
            try:
                return view(request, *args, **kwargs)
            except DatabaseError:
                obstacle = connection.obstacle()
                if obstacle is None:
                    raise
                log.error("memwatch: %s", obstacle)
                return self._told(request, obstacle)

        return guarded

    def _told(self, request: HttpRequest, obstacle: str) -> HttpResponse:
        context = {"title": _("memwatch cannot work yet"), "obstacle": obstacle}
        return self.rendered(request, "admin/memwatch/obstacle.html", context, status=503)

    def rendered(
        self, request: HttpRequest, template: str, context: Mapping[str, Any], status: int | None = None
    ) -> TemplateResponse:
        """A page of this admin, with what every page of the site shows."""
        request.current_app = self.admin_site.name
        whole = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "crumb": context.get("original") or context.get("title"),
            **context,
        }
        return TemplateResponse(request, template, whole, status=status)

    def for_viewers(self, view: View) -> View:
        """For ``get_urls``: the view for users who may view the rows, and for nothing but looking."""

        @functools.wraps(view)
        def viewed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        wrapped: View = self.admin_site.admin_view(require_safe(viewed))
        return wrapped
