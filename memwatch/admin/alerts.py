"""Alerts: the list, and the page of one with its figures, notifications and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats, panels, runbooks
from memwatch.admin.base import PageAdmin
from memwatch.admin.leaks.tables import each_process_url
from memwatch.admin.notifications import notifications_table
from memwatch.models import Alert
from memwatch.queries.alerts import WORST_FIRST, earlier_alerts
from memwatch.queries.leaks import SEVERITY_RANK

MOST_EARLIER = 10


class RaisedFilter(admin.SimpleListFilter):
    """Shows raised alerts by default."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("raised", gettext_lazy("raised")), ("cleared", gettext_lazy("cleared")), ("all", gettext_lazy("all"))]

    def _chosen(self) -> str:
        return self.value() or "raised"

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for key, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: key})
            yield {"selected": self._chosen() == key, "query_string": query, "display": capfirst(title)}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self._chosen()
        return queryset.filter(cleared_at__isnull=chosen == "raised") if chosen in ("raised", "cleared") else queryset


@admin.register(Alert)
class AlertAdmin(PageAdmin):
    list_display = ("said", "severity_shown", "state_shown", "where", "raised", "lasted")
    list_filter = (RaisedFilter, "severity", "type", "service")
    search_fields = ("message", "service__name", "process__host")
    search_help_text = gettext_lazy("Words of the message, service or host")
    related: ClassVar = {"notification": "alert"}
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

    @admin.display(description=gettext_lazy("severity"), ordering=SEVERITY_RANK)
    def severity_shown(self, alert: Alert) -> SafeString:
        return formats.severity_badge(alert.severity, alert.get_severity_display())

    @admin.display(description=gettext_lazy("state"), ordering="cleared_at")
    def state_shown(self, alert: Alert) -> SafeString:
        return _state(alert)

    @admin.display(description=gettext_lazy("where"), ordering="service__name")
    def where(self, alert: Alert) -> SafeString:
        return _where(alert)

    @admin.display(description=gettext_lazy("raised"), ordering="raised_at")
    def raised(self, alert: Alert) -> SafeString:
        return formats.when(alert.raised_at)

    @admin.display(description=gettext_lazy("duration"))
    def lasted(self, alert: Alert) -> SafeString:
        return formats.number(_lasted(alert))

    def page(self, request: HttpRequest, obj: Alert) -> Mapping[str, Any]:
        now = timezone.now()
        runbook = runbooks.OF_ALERTS.get(Alert.Type(obj.type), "") if obj.type in Alert.Type.values else ""
        facts: list[str | SafeString] = [_where(obj), format_html(_("raised {}"), formats.when(obj.raised_at, now))]
        if obj.cleared_at:
            facts.append(format_html(_("cleared {}"), formats.when(obj.cleared_at, now)))
        return {
            "title": capfirst(obj.get_type_display()),
            "subtitle": str(obj.process or obj.service),
            "severity": obj.severity,
            "badges": [formats.severity_badge(obj.severity, obj.get_severity_display()), _state(obj)],
            "facts": facts,
            "tiles": _tiles(obj),
            "leak_url": formats.page_url("leak", obj.leak_id) if obj.leak_id else "",
            "each_url": each_process_url(obj.leak) if obj.leak and (obj.processes or 0) > 1 else "",
            "process_url": formats.page_url("process", obj.process_id) if obj.process_id else "",
            "runbook": runbooks.runbook_url(runbook) if runbook else "",
            "runbook_name": runbook,
            "notifications": notifications_table(obj),
            "earlier": [
                {
                    "url": formats.page_url("alert", each.pk),
                    "raised": formats.when(each.raised_at, now),
                    "severity": formats.severity_badge(each.severity, each.get_severity_display()),
                    "lasted": _lasted(each),
                }
                for each in earlier_alerts(obj, MOST_EARLIER)
            ],
        }


def _state(alert: Alert) -> SafeString:
    if alert.is_raised:
        return formats.state_badge("raised", _("raised"))
    return formats.state_badge("cleared", _("cleared"))


def _where(alert: Alert) -> SafeString:
    if alert.process is not None:
        return formats.link(formats.page_url("process", alert.process.pk), str(alert.process))
    service = formats.link(formats.page_url("service", alert.service_id), alert.service.name)
    if not alert.processes or alert.processes == 1:
        return service
    text = ngettext("{}, %s process", "{}, %s processes", alert.processes) % formats.count(alert.processes)
    return format_html(text, service)


def _lasted(alert: Alert) -> str:
    return formats.duration(((alert.cleared_at or timezone.now()) - alert.raised_at).total_seconds())


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
