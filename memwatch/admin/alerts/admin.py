"""Alerts: the list, and the page of one with its figures, notifications and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import columns, formats, panels, runbooks
from memwatch.admin.alerts.notifications import notifications_table
from memwatch.admin.base import PageAdmin
from memwatch.admin.filters import ChoiceFilter
from memwatch.admin.fleet import container
from memwatch.admin.leaks.tables import each_process_url
from memwatch.models import Alert
from memwatch.queries.alerts import WORST_FIRST, earlier_alerts
from memwatch.queries.processes.surroundings import Container, of_alert

MOST_EARLIER = 10


class RaisedFilter(ChoiceFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    options = (("raised", gettext_lazy("raised")), ("cleared", gettext_lazy("cleared")), ("all", gettext_lazy("all")))
    usual = "raised"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.chosen == "all" else queryset.filter(cleared_at__isnull=self.chosen == "raised")


def _state(alert: Alert) -> SafeString:
    if alert.is_raised:
        return formats.state_badge("raised", _("raised"))
    return formats.state_badge("cleared", _("cleared"))


def _where(alert: Alert) -> SafeString:
    if alert.process is not None:
        return formats.link_to(alert.process)
    service = formats.link_to(alert.service)
    if not alert.processes or alert.processes == 1:
        return service
    text = ngettext("{}, %s process", "{}, %s processes", alert.processes) % formats.count(alert.processes)
    return format_html(text, service)


def _container(alert: Alert) -> Container | None:
    """The container that it is about, as it is now."""
    if alert.type not in (Alert.Type.CONTAINER_WARNING, Alert.Type.CONTAINER_CRITICAL) or not alert.is_raised:
        return None
    return of_alert(alert)


def _lasted_s(alert: Alert) -> float:
    return ((alert.cleared_at or timezone.now()) - alert.raised_at).total_seconds()


def _lasted(alert: Alert) -> str:
    return formats.duration(_lasted_s(alert))


@admin.register(Alert)
class AlertAdmin(PageAdmin):
    list_display = ("said", "severity_shown", "state_shown", "where", "raised", "lasted")
    list_filter = (RaisedFilter, "severity", "type", "service")
    search_fields = ("message", "service__name", "process__host")
    search_help_text = gettext_lazy("Words of the message, service or host")
    related: ClassVar = {"notification": "alert", "death": "service=service_id"}
    page_template = "admin/memwatch/alert/page.html"
    about = gettext_lazy("Thresholds that were crossed. An alert is raised once and clears automatically.")
    empty = gettext_lazy(
        "No alert is raised. Use the filter “state” to see cleared alerts. ALERT_CHANNELS sets where memwatch sends "
        "notifications."
    )

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """What is raised: the worst first; what was: the newest."""
        if request.GET.get(RaisedFilter.parameter_name, "raised") == "raised":
            return WORST_FIRST
        return ("-raised_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        rows: QuerySet[Alert] = super().get_queryset(request)
        return rows.select_related("service", "process__service", "leak__service", "leak__process__service")

    @admin.display(description=gettext_lazy("message"))
    def said(self, alert: Alert) -> SafeString:
        return format_html(
            '<span title="{}">{}</span><span class="mw-second">{}</span>',
            alert.message, formats.first_sentence(alert.message), alert.get_type_display(),
        )  # fmt: skip

    severity_shown = columns.severity()
    state_shown = columns.text(gettext_lazy("state"), _state, "cleared_at")
    where = columns.text(gettext_lazy("where"), _where, "service__name")
    raised = columns.when(gettext_lazy("raised"), "raised_at")
    lasted = columns.figure(gettext_lazy("duration"), _lasted)

    def page(self, request: HttpRequest, obj: Alert) -> Mapping[str, Any]:
        now = timezone.now()
        runbook = runbooks.OF_ALERTS.get(Alert.Type(obj.type), "") if obj.type in Alert.Type.values else ""
        facts: list[str | SafeString] = [_where(obj), format_html(_("raised {}"), formats.when(obj.raised_at, now))]
        if obj.release_id is not None:
            facts.append(formats.link(formats.page_url("release", obj.release_id), _("what the release changed")))
        if obj.cleared_at:
            facts.append(format_html(_("cleared {}"), formats.when(obj.cleared_at, now)))
        return {
            "title": capfirst(obj.get_type_display()),
            "subtitle": str(obj.process or obj.service),
            "severity": obj.severity,
            "badges": [formats.severity_of(obj), _state(obj)],
            "facts": facts,
            "tiles": _tiles(obj),
            "leak_url": formats.page_url("leak", obj.leak_id) if obj.leak_id else "",
            "each_url": each_process_url(obj.leak) if obj.leak and (obj.processes or 0) > 1 else "",
            "process_url": formats.page_url("process", obj.process_id) if obj.process_id else "",
            "runbook": runbooks.runbook_url(runbook) if runbook else "",
            "runbook_name": runbook,
            "container": container.panel(_container(obj), now),
            "tables": [notifications_table(obj), _earlier(obj)],
        }


def _tiles(alert: Alert) -> list[panels.Line]:
    tiles = [panels.Line(label=_("Raised for"), value=_lasted(alert))]
    if alert.value is not None:
        label = _("Growth") if alert.type == Alert.Type.LEAK else _("Measured")
        tiles.insert(0, panels.Line(label=label, value=_measure(alert, alert.value)))
    # A leak may be found for other reasons than this threshold: see the page of the leak.
    if alert.threshold is not None and alert.type != Alert.Type.LEAK:
        tiles.insert(1, panels.Line(label=_("Threshold"), value=_measure(alert, alert.threshold)))
    return tiles


def _measure(alert: Alert, value: float) -> str:
    if alert.type == Alert.Type.GC_SPIKE:
        return _("%s collections a second") % formats.decimal(value)
    if alert.type == Alert.Type.GROWTH_RATE:
        return _("%s an hour") % formats.percent(value)
    return formats.percent(value)


def _earlier(alert: Alert) -> panels.Table:
    return panels.Table(
        title=_("Earlier alerts of this kind"),
        names=[_("Raised"), _("Severity"), _("Duration")],
        cells=[
            [
                formats.link_to(each, formats.when(each.raised_at)),
                formats.severity_of(each),
                panels.figure(_lasted(each), _lasted_s(each)),
            ]
            for each in earlier_alerts(alert, MOST_EARLIER)
        ],
        empty=_("None: this is the first one."),
    )
