"""The overview: how is the fleet, in one page. A change list by URL and permission, a page of its own by looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from memwatch import queries
from memwatch.admin import formats, leak_tables, panels
from memwatch.admin.base import ReadOnlyAdmin
from memwatch.conf import get_settings
from memwatch.figures import SEVERITIES
from memwatch.models import Alert, Leak, Overview
from memwatch.queries.fleet import ProcessFigures

SHOWN_LEAKS = 20
SHOWN_ALERTS = 10
REFRESH_S = 30
"""The page reloads itself this often, unless paused."""


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin):
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("memwatch.view_service")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return HttpResponseRedirect(formats.page_url("service", object_id))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Memory of the fleet"),
            "media": self.media,
            "refresh_s": REFRESH_S,
            **fleet_page(timezone.now()),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/memwatch/overview/page.html", context)


def fleet_page(now: datetime) -> Mapping[str, Any]:
    """Tiles, services, the worst leaks and the alerts of now. As many queries for a large fleet as for a small one."""
    items = queries.fleet()
    leaks = leak_tables.worst_first(Leak.objects.active().select_related("service", "process__service"))
    alerts = list(Alert.objects.raised().select_related("service", "process__service")[: SHOWN_ALERTS + 1])
    return {
        "now": formats.exact(now),
        "tiles": _tiles(items, leaks, alerts, now),
        "services": _services(items, leaks, now),
        "leaks": [leak_tables.leak_row(leak, now) for leak in leaks[:SHOWN_LEAKS]],
        "leaks_url": formats.changelist("leak"),
        "alerts": [
            {
                "url": formats.page_url("alert", alert.pk),
                "message": formats.first_sentence(alert.message),
                "whole": alert.message,
                "severity": formats.severity_badge(alert.severity, alert.get_severity_display()),
                "raised": formats.when(alert.raised_at, now),
            }
            for alert in alerts[:SHOWN_ALERTS]
        ],
        "alerts_url": formats.changelist("alert", state="raised"),
    }


def _tiles(
    items: Sequence[ProcessFigures], leaks: Sequence[Leak], alerts: Sequence[Alert], now: datetime
) -> list[panels.Line]:
    silent = [item for item in items if is_silent(item, now)]
    by_severity = [
        f"{len([leak for leak in leaks if leak.severity == severity])} {formats.severity_word(severity)}"
        for severity in reversed(SEVERITIES)
        if any(leak.severity == severity for leak in leaks)
    ]
    pauses = _known(items, "census_pause_ms")
    return [
        panels.Line(
            label=_("Services"),
            value=formats.count(len({item.process.service_id for item in items})),
            url=formats.changelist("service"),
        ),
        panels.Line(
            label=_("Processes"),
            value=formats.count(len(items)),
            hint=_("%s silent") % formats.count(len(silent)) if silent else _("alive, all report"),
            url=formats.changelist("process"),
        ),
        panels.Line(
            label=_("Open leaks"),
            value=formats.count(len(leaks)),
            hint=", ".join(by_severity),
            url=formats.changelist("leak"),
        ),
        panels.Line(
            label=_("Alerts raised"),
            value=formats.at_most(len(alerts), SHOWN_ALERTS),
            url=formats.changelist("alert", state="raised"),
        ),
        panels.Line(label=_("RSS of all"), value=formats.megabytes(_total(items, "rss_mb"))),
        panels.Line(
            label=_("Fullest heap"),
            value=formats.percent(max(_known(items, "heap_percent"), default=None)),
            hint=_("of its limit"),
        ),
        panels.Line(
            label=_("Census pause"),
            value=formats.milliseconds(max(pauses, default=None)),
            hint=_("the longest"),
        ),
    ]


def _services(items: Sequence[ProcessFigures], leaks: Sequence[Leak], now: datetime) -> list[dict[str, Any]]:
    rows = []
    for service, group in groupby(items, key=lambda item: item.process.service):
        members = list(group)
        own = [leak for leak in leaks if leak.service_id == service.pk]
        worst = max(own, key=lambda leak: SEVERITIES.index(leak.severity), default=None)
        ends = [leak.time_to_exhaustion_s for leak in own if leak.time_to_exhaustion_s is not None]
        drifts = [item.drift_percent for item in members if item.drift_percent is not None]
        silent = sum(is_silent(item, now) for item in members)
        rows.append(
            {
                "url": formats.page_url("service", service.pk),
                "name": service.name,
                "alive": formats.count(len(members)),
                "silent": _("%s silent") % formats.count(silent) if silent else "",
                "rss": formats.megabytes(_total(members, "rss_mb")),
                "heap": formats.megabytes(_total(members, "heap_used_mb")),
                "share": formats.percent(max(_known(members, "heap_percent"), default=None)),
                "drift": formats.signed_percent(max(drifts, default=None)),
                "leaks": formats.count(len(own)),
                "worst": formats.severity_badge(worst.severity, worst.get_severity_display()) if worst else "",
                "exhaustion": formats.duration(min(ends, default=None)),
            }
        )
    return rows


def is_silent(item: ProcessFigures, now: datetime) -> bool:
    """It has not reported for two intervals."""
    return (now - item.process.last_seen_at).total_seconds() > 2 * get_settings().snapshot_interval


def _known(items: Sequence[ProcessFigures], name: str) -> list[float]:
    values = (getattr(item.figures, name) for item in items if item.figures is not None)
    return [value for value in values if value is not None]


def _total(items: Sequence[ProcessFigures], name: str) -> float | None:
    values = _known(items, name)
    return sum(values) if values else None
