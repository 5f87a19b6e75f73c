"""The page of known causes: what can be said without recording anything."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from memwatch.queries.known_causes import all_causes


def page(admin: ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """Every cause that was found, with its source; permissions are the caller's."""
    context = {
        **admin.admin_site.each_context(request),
        "opts": admin.opts,
        "title": _("Known causes"),
        "media": admin.media,
        "causes": all_causes(),
    }
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, "admin/memwatch/recording/known_causes.html", context)
