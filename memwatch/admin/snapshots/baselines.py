"""Baselines: what processes and services are compared with, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import columns, formats, panels
from memwatch.admin.filters import ChoiceFilter
from memwatch.admin.formats import name_of
from memwatch.admin.snapshots.admin import FiguresAdmin
from memwatch.models import Baseline


class StateFilter(ChoiceFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    options = (("force", gettext_lazy("In force")), ("replaced", gettext_lazy("Replaced")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(active=self.chosen == "force") if self.chosen else queryset


class HowFilter(ChoiceFilter):
    title = gettext_lazy("set by")
    parameter_name = "how"
    options = (("itself", gettext_lazy("memwatch")), ("reset", gettext_lazy("a user")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(automatic=self.chosen == "itself") if self.chosen else queryset


def _state(row: Baseline) -> SafeString:
    if row.active:
        return formats.badge("state", "alive", _("in force"), "●")
    return formats.badge("state", "ended", _("replaced"), "○")


def _how(row: Baseline) -> str:
    if row.automatic:
        return _("memwatch")
    return str(row.created_by or _("a user"))


def _whose(row: Baseline) -> SafeString:
    if row.process is not None:
        return formats.link_to(row.process)
    return formats.link_to(row.service, _("all processes of %s") % row.service.name)


@admin.register(Baseline)
class BaselineAdmin(FiguresAdmin):
    list_display = ("set_at", "whose", "state_shown", "how", "rss", "heap", "objects", "reason")
    list_filter = (StateFilter, HowFilter, "service")
    search_fields = ("service__name", "process__host", "reason", name_of("created_by"))
    search_help_text = gettext_lazy("Service, host, reason or user")
    page_template = "admin/memwatch/baseline/page.html"
    about = gettext_lazy(
        "Reference figures that later snapshots are compared with. memwatch sets one for each process after its "
        "warm-up; “Reset baseline” on the page of a process or a service sets a new one."
    )
    empty = gettext_lazy("No baseline yet. The first snapshot of a process after its warm-up sets one.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Baseline]:
        rows: QuerySet[Baseline] = super().get_queryset(request)
        return rows.select_related("service", "process__service", "created_by")

    set_at = columns.when(gettext_lazy("set"), "created_at")
    state_shown = columns.text(gettext_lazy("state"), _state, "active")
    how = columns.text(gettext_lazy("set by"), _how, "automatic")
    whose = columns.text(gettext_lazy("of"), _whose, "service__name")

    def page(self, request: HttpRequest, obj: Baseline) -> Mapping[str, Any]:
        now = timezone.now()
        figures, last = queries.figures_of(obj), queries.last_snapshot_of(obj.process) if obj.process else None
        compared = queries.compare(obj, last) if last is not None else None
        return {
            "title": _("Baseline of %s") % (obj.process or obj.service),
            "subtitle": formats.exact(obj.timestamp),
            "state": _state(obj),
            "facts": _facts(obj, now),
            "reason": obj.reason,
            "since": panels.now_tiles(queries.figures_of(last), queries.drift_of(obj.process))
            if last is not None and obj.process is not None and obj.active
            else [],
            "types": panels.types_now(
                compared, figures, title=_("Types now, against this baseline") if compared else _("Types")
            ),
            "containers": panels.container_table(figures.big_containers),
            "memory_lines": panels.memory_lines(figures),
            "object_lines": panels.object_lines(figures),
        }


def _facts(row: Baseline, now: datetime) -> list[str | SafeString]:
    return [
        _whose(row),
        format_html(_("set {} by {}"), formats.when(row.created_at, now), _how(row)),
        format_html(_("figures from {}"), formats.when(row.timestamp, now)),
    ]
