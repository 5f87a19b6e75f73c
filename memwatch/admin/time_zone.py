"""Times in the zone of who reads them: the browser says which in a cookie (``static/memwatch/times.js``).

Charts, tables and the fields of forms go by the same zone, so that a time that is read can be typed in again. A site
that activates a zone for each user itself is left alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern
from django.utils import timezone

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

COOKIE = "memwatch_timezone"
LONGEST = 60
View = Callable[..., HttpResponse]


def zone_of(request: HttpRequest) -> ZoneInfo | None:
    """The zone that the browser named; ``None`` without one, for nonsense, and where the site has chosen one."""
    name = request.COOKIES.get(COOKIE, "")
    if not name or len(name) > LONGEST or timezone.get_current_timezone() != timezone.get_default_timezone():
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def in_the_readers_zone(view: View) -> View:
    """The view, and the rendering of its page after it, in that zone."""

    @functools.wraps(view)
    def zoned(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        zone = zone_of(request)
        if zone is None:
            return view(request, *args, **kwargs)
        with timezone.override(zone):
            response = view(request, *args, **kwargs)
        if isinstance(response, SimpleTemplateResponse):
            # It is rendered when the middleware has seen it: by then the zone would be another.
            response.render = _rendering_in(zone, response.render)  # type: ignore[method-assign]
        return response

    return zoned


class ZonedAdmin(ModelAdmin):
    """An admin all of whose views are."""

    @property
    def urls(self) -> list[URLPattern]:
        """As they were, each view in the zone of its reader."""
        return [
            URLPattern(found.pattern, in_the_readers_zone(found.callback), found.default_args, found.name)
            for found in super().urls
        ]


def _rendering_in(zone: ZoneInfo, render: Callable[[], Any]) -> Callable[[], Any]:
    def rendered() -> Any:
        with timezone.override(zone):
            return render()

    return rendered
