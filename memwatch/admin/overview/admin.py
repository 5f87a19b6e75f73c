"""The overview: how is the fleet, in one page. A change list by URL and permission, a page of its own by looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch import queries
from memwatch.admin import formats, panels
from memwatch.admin.base import SinglePageAdmin
from memwatch.admin.deaths import admin as deaths_admin
from memwatch.admin.fleet import add_program
from memwatch.admin.leaks import evidence, tables
from memwatch.admin.overview import state as overview_state
from memwatch.admin.overview import tables as overview_tables
from memwatch.conf import get_settings
from memwatch.models import Alert, Leak, Overview
from memwatch.queries import Glance, LeakGlance
from memwatch.queries.alerts import worst_raised
from memwatch.queries.leaks import leaks_by_id
from memwatch.queries.processes import deaths
from memwatch.queries.processes.surroundings import containers
from memwatch.records import SEVERITIES

SHOWN_LEAKS = 20
SHOWN_ALERTS = 10
REFRESH_S = 30
"""The page reloads itself this often, unless paused."""


@admin.register(Overview)
class OverviewAdmin(SinglePageAdmin):
    page_template = "admin/memwatch/overview/page.html"
    page_title = gettext_lazy("Memory of the fleet")
    row_model = "service"
    related: ClassVar = {"workrollup": "", "death": "", "recommendation": "", "release": ""}

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("memwatch.view_service")

    def page(self, request: HttpRequest) -> Mapping[str, Any]:
        program_url = add_program.url() if request.user.has_perm("memwatch.view_process") else ""
        return {
            "refresh_s": REFRESH_S,
            "program_url": program_url,
            "related": self.related_links(request),
            **fleet_page(timezone.now()),
        }


def fleet_page(now: datetime) -> Mapping[str, Any]:
    """What the template shows. As many queries for a large fleet as for a small one."""
    items = queries.glance()
    silent_of = overview_tables.silent_of(items, now)
    silent = silent_of.total()
    leaks = tables.worst_first(queries.leaks_at_a_glance())
    alerts = worst_raised(SHOWN_ALERTS + 1)
    state = queries.stats(now, seen=items)
    died = deaths.counted_since(now - deaths_admin.DAY_LENGTH)
    causes = tables.causes_of(leaks)
    worst = overview_tables.worst_of_services(leaks)
    whole = leaks_by_id([*(cause[0].pk for cause in causes[:SHOWN_LEAKS]), *worst.values()])
    return {
        "now": formats.exact(now),
        "headline": _headline(items, silent, [whole.get(cause[0].pk) for cause in causes], now),
        "unexplained": [*overview_state.unexplained(items, leaks, now), *overview_state.full(containers(now=now))],
        "tone": leaks[0].severity if leaks else overview_state.tone(items, silent),
        "tiles": _tiles(items, silent, causes, alerts, sum(died.values())),
        "services": overview_tables.service_rows(
            items,
            leaks,
            {service: whole.get(pk) for service, pk in worst.items()},
            silent=silent_of,
            died=died,
            now=now,
        ),
        "leaks": tables.cause_rows(causes[:SHOWN_LEAKS], whole, now),
        "more_leaks": max(0, len(causes) - SHOWN_LEAKS),
        "leaks_url": formats.changelist("leak"),
        "alerts": [
            {
                "url": formats.page_url("alert", alert.pk),
                "message": formats.first_sentence(alert.message),
                "whole": alert.message,
                "severity": formats.severity_of(alert),
                "raised": formats.when(alert.raised_at, now),
            }
            for alert in alerts[:SHOWN_ALERTS]
        ],
        "alerts_url": formats.changelist("alert", state="raised"),
        "cost": overview_tables.cost_lines(state),
        "cost_problem": overview_tables.cost_problem(state),
    }


def _headline(items: Sequence[Glance], silent: int, causes: Sequence[Leak | None], now: datetime) -> SafeString:
    """How it is, in a sentence. ``causes``: the worst leak of each, worst first."""
    if not items:
        return SafeString("")
    if not causes and silent == len(items):
        return format_html("{}", _("Leaks are unknown: no process reports."))
    if not causes:
        return overview_state.no_open_leak(items)
    found = ngettext("%s leak is open.", "%s different leaks are open.", len(causes)) % formats.count(len(causes))
    worst = causes[0]
    if worst is None:
        return format_html("{}", found)
    left = worst.time_left_s(now)
    return format_html(
        _("{} The worst: {} in {}, which began {}{}."),
        found,
        formats.link_to(worst, evidence.held_in(worst) or evidence.name_of(worst)),
        worst.service.name,
        formats.when(worst.started_at or worst.detected_at, now),
        _("; memory runs out in %s") % formats.duration(left) if left is not None else "",
    )


def _tiles(
    items: Sequence[Glance], silent: int, causes: Sequence[Sequence[LeakGlance]], alerts: Sequence[Alert], died: int
) -> list[panels.Line]:
    by_severity = [
        f"{formats.SEVERITY_SHAPES[severity]} {found} {formats.severity_word(severity)}"
        for severity in reversed(SEVERITIES)
        if (found := sum(cause[0].severity == severity for cause in causes))
    ]
    return [
        panels.Line(
            label=_("Services"),
            value=formats.count(len({item.service_id for item in items})),
            url=formats.changelist("service"),
        ),
        panels.Line(
            label=_("Processes alive"),
            value=formats.count(len(items)),
            hint=_("%s silent") % formats.count(silent) if silent else _("all report"),
            url=formats.changelist("process"),
            tone="medium" if silent else "",
        ),
        panels.Line(
            label=_("Open leaks"),
            value=formats.count(len(causes)),
            hint=", ".join(by_severity),
            url=formats.changelist("leak"),
            tone=causes[0][0].severity if causes else "",
        ),
        panels.Line(
            label=_("Alerts raised"),
            value=formats.at_most(len(alerts), SHOWN_ALERTS),
            url=formats.changelist("alert", state="raised"),
        ),
        panels.Line(
            label=_("Deaths"),
            value=formats.count(died),
            hint=_("in 24 h"),
            url=deaths_admin.url(time=deaths_admin.DAY),
            tone="medium" if died else "",
        ),
        _memory_tile(items),
        _fullest_tile(items),
    ]


def _memory_tile(items: Sequence[Glance]) -> panels.Line:
    """RSS of all, of what containers and hosts allow."""
    rss, limit = [item.rss_kib for item in items if item.rss_kib is not None], queries.memory_limit_mb(items)
    return panels.Line(
        label=_("Memory used"),
        value=formats.kib(sum(rss) if rss else None),
        hint=_("total RSS, of %s") % formats.megabytes(limit) if limit is not None else _("Total RSS"),
    )


def _fullest_tile(items: Sequence[Glance]) -> panels.Line:
    known = [(share, item) for item in items if (share := item.heap_percent) is not None]
    if not known:
        return panels.Line(label=_("Fullest heap"), value=formats.NOT_MEASURED)
    share, item = max(known, key=lambda each: each[0])
    settings = get_settings()
    tone = "critical" if share >= settings.heap_critical_percent else ""
    return panels.Line(
        label=_("Fullest heap"),
        value=formats.percent(share),
        hint=_("%(slot)s, of %(limit)s") % {"slot": item.slot, "limit": formats.kib(item.heap_limit_kib)},
        url=formats.page_url("process", item.pk),
        tone=tone or ("medium" if share >= settings.heap_warning_percent else ""),
    )
