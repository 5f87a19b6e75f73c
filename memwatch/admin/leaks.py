"""Leaks: the list, and the page of one with its verdict, evidence, history and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import charts, evidence, formats, leak_acts, panels
from memwatch.admin.base import PageAdmin
from memwatch.figures import SEVERITIES
from memwatch.models import Leak

SEVERITY_RANK = Case(
    *(When(severity=severity, then=Value(rank)) for rank, severity in enumerate(SEVERITIES)),
    default=Value(0),
    output_field=IntegerField(),
)
"""Severity in order, not by the alphabet."""


class StateFilter(admin.SimpleListFilter):
    """Shows what wants somebody's eye unless asked otherwise."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("active", gettext_lazy("open or acknowledged")), *Leak.State.choices, ("all", gettext_lazy("all"))]

    def _chosen(self) -> str:
        return self.value() or "active"

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for key, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: key})
            yield {"selected": self._chosen() == key, "query_string": query, "display": capfirst(title)}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self._chosen()
        if chosen == "active":
            return queryset.filter(state__in=(Leak.State.OPEN, Leak.State.ACKNOWLEDGED))
        return queryset.filter(state=chosen) if chosen in Leak.State.values else queryset


@admin.register(Leak)
class LeakAdmin(PageAdmin):
    list_display = (
        "shown_type", "severity_shown", "state_shown", "growth", "per_hour", "exhaustion", "since",
    )  # fmt: skip
    list_filter = (StateFilter, "severity", "kind", "confidence", "service")
    list_select_related = ("service", "process__service")
    search_fields = ("object_type", "service__name", "process__host", "verdict")
    search_help_text = gettext_lazy("Type, service, host or words of the verdict")
    acts = (leak_acts.ACKNOWLEDGE, leak_acts.SNOOZE, leak_acts.RESOLVE, leak_acts.SUPPRESS, leak_acts.REOPEN)
    ordering = (SEVERITY_RANK.desc(), "service__name", "kind", "object_type", "-detected_at", "-id")
    page_template = "admin/memwatch/leak/page.html"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "process__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description=gettext_lazy("type"), ordering="object_type")
    def shown_type(self, leak: Leak) -> SafeString:
        held_in = evidence.held_in(leak)
        where = leak.process.slot if leak.process else _("all of %s") % leak.service.name
        beside = _("%(where)s, in %(name)s") % {"where": where, "name": held_in} if held_in else where
        second = format_html('<span class="mw-second" title="{}">{}</span>', leak.process or leak.service, beside)
        return format_html("{}{}", formats.type_name(evidence.name_of(leak)), second)

    @admin.display(description=gettext_lazy("severity"), ordering=SEVERITY_RANK)
    def severity_shown(self, leak: Leak) -> SafeString:
        return formats.severity_badge(leak.severity, leak.get_severity_display())

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, leak: Leak) -> SafeString:
        return formats.state_badge(leak.state, leak.get_state_display())

    @admin.display(description=gettext_lazy("growth"), ordering="growth_count")
    def growth(self, leak: Leak) -> SafeString:
        return formats.number(evidence.growth(leak, leak.growth_count))

    @admin.display(description=gettext_lazy("an hour"), ordering="growth_per_hour")
    def per_hour(self, leak: Leak) -> SafeString:
        return formats.number(evidence.growth(leak, leak.growth_per_hour))

    @admin.display(description=gettext_lazy("exhausted in"), ordering="time_to_exhaustion_s")
    def exhaustion(self, leak: Leak) -> SafeString:
        return formats.number(formats.duration(leak.time_to_exhaustion_s))

    @admin.display(description=gettext_lazy("grows since"), ordering="started_at")
    def since(self, leak: Leak) -> SafeString:
        return formats.when(leak.started_at or leak.detected_at)

    def page(self, request: HttpRequest, obj: Leak) -> Mapping[str, Any]:
        now = timezone.now()
        hours = charts.hours_asked(request.GET.get("hours"))
        start = charts.look_back(now, hours)
        history = queries.history(obj.process, since=start, limit=charts.MOST_READ) if obj.process else []
        raw = obj.evidence if isinstance(obj.evidence, dict) else {}
        return {
            "title": evidence.name_of(obj),
            "subtitle": self._subtitle(obj),
            "verdict": obj.verdict or _("This type grows and is not given back."),
            "severity": obj.severity,
            "badges": [
                formats.severity_badge(obj.severity, obj.get_severity_display()),
                formats.state_badge(obj.state, obj.get_state_display()),
                formats.badge("confidence", obj.confidence, _("%s confidence") % obj.get_confidence_display()),
            ],
            "facts": self._facts(obj, now),
            "tiles": self._tiles(obj, now),
            "charts": charts.leak_charts(history, obj) if obj.process else None,
            "ranges": charts.range_links(hours),
            "evidence": evidence.readable(obj, now),
            "statistics": evidence.statistics_lines(raw),
            "evidence_raw": panels.raw_json(raw),
            "events": [
                {
                    "what": event.get_kind_display(),
                    "at": formats.when(event.at, now),
                    "by": str(event.by or _("memwatch")),
                    "comment": event.comment,
                }
                for event in obj.events.select_related("by").order_by("-at", "-id")
            ],
        }

    def _subtitle(self, leak: Leak) -> str:
        words = {"where": leak.process or leak.service, "name": evidence.held_in(leak)}
        return (_("leak in %(where)s, held in %(name)s") if words["name"] else _("leak in %(where)s")) % words

    def _facts(self, leak: Leak, now: Any) -> list[str | SafeString]:
        facts: list[str | SafeString] = [
            formats.link(formats.page_url("service", leak.service_id), leak.service.name),
        ]
        if leak.process:
            facts.append(formats.link(formats.page_url("process", leak.process.pk), str(leak.process)))
        facts.append(leak.get_kind_display())
        facts.append(format_html(_("detected {}"), formats.when(leak.detected_at, now)))
        facts.append(format_html(_("last judged a leak {}"), formats.when(leak.last_seen_at, now)))
        if leak.snoozed_until and leak.state == Leak.State.SNOOZED:
            facts.append(format_html(_("snoozed until {}"), formats.exact(leak.snoozed_until)))
        if leak.resolved_at and leak.state == Leak.State.RESOLVED:
            facts.append(format_html(_("resolved {}"), formats.when(leak.resolved_at, now)))
        if leak.expected_growth_id:
            url = formats.page_url("expectedgrowth", leak.expected_growth_id)
            facts.append(formats.link(url, _("suppressed as expected growth")))
        return facts

    def _tiles(self, leak: Leak, now: Any) -> list[panels.Line]:
        return [
            panels.Line(
                label=_("Objects now") if leak.kind == Leak.Kind.OBJECTS else _("Now"),
                value=evidence.amount(leak, leak.current_count),
                hint=_("%s at first") % evidence.amount(leak, leak.initial_count),
            ),
            panels.Line(
                label=_("Growth"),
                value=evidence.growth(leak, leak.growth_count),
                hint=formats.signed_percent(leak.growth_percent),
            ),
            panels.Line(label=_("Growth an hour"), value=evidence.growth(leak, leak.growth_per_hour)),
            panels.Line(label=_("Grows since"), value=formats.when(leak.started_at or leak.detected_at, now)),
            panels.Line(
                label=_("Memory exhausted in"),
                value=formats.duration(leak.time_to_exhaustion_s),
                hint="" if leak.time_to_exhaustion_s is not None else _("no limit in sight"),
            ),
        ]
