"""Show what to do while memwatch's tables are missing, instead of an error."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import admin
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

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
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("memwatch cannot work yet"),
            "obstacle": obstacle,
        }
        return TemplateResponse(request, "admin/memwatch/obstacle.html", context, status=503)
