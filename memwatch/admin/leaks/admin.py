"""Leaks: the list, and what can be done about them. The page of one is in ``leak_page``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import columns, formats
from memwatch.admin.actions import Act
from memwatch.admin.base import PageAdmin
from memwatch.admin.filters import ChoiceFilter
from memwatch.admin.leaks import actions, causes, evidence
from memwatch.admin.leaks import page as leak_page
from memwatch.models import Leak


class StateFilter(ChoiceFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    options = (("active", gettext_lazy("open or acknowledged")), *Leak.State.choices, ("all", gettext_lazy("all")))
    usual = "active"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.chosen == "active":
            return queryset.filter(state__in=(Leak.State.OPEN, Leak.State.ACKNOWLEDGED))
        return queryset if self.chosen == "all" else queryset.filter(state=self.chosen)


@admin.register(Leak)
class LeakAdmin(PageAdmin):
    list_display = (
        "shown_type", "severity_shown", "state_shown", "probability_shown", "growth", "per_hour", "exhaustion", "since",
    )  # fmt: skip
    list_display_links = None  # a row has several links: its leak, and each process of it
    list_filter = (StateFilter, causes.RowsFilter, "severity", "kind", "confidence", "service")
    search_fields = ("object_type", "service__name", "process__host", "verdict")
    search_help_text = gettext_lazy("Type, service, host or words of the verdict")
    acts = (
        actions.ACKNOWLEDGE, actions.SNOOZE, actions.RESOLVE, actions.SUPPRESS, actions.REOPEN,
        actions.COMMENT, actions.SNAPSHOT,
    )  # fmt: skip
    about = gettext_lazy(
        "Memory that grows and is not released, worst first: by severity, then by how soon memory "
        "runs out. A type that leaks in several processes of a service is one row. Use the filter "
        "“state” to see snoozed, suppressed and resolved leaks."
    )
    empty = gettext_lazy(
        "No leak is open. memwatch judges a process after 16 snapshots, and opens no leak for growth "
        "that stops. Use the filter “state” to see resolved leaks."
    )
    ordering = (*causes.MOST_URGENT, "service__name", "kind", "object_type", "-detected_at", "-id")
    related: ClassVar = {
        "expectedgrowth": "", "recording": "leak", "alert": "leak", "objecttype": "",
        "workrollup": "service=service_id", "trackrecord": "",
    }  # fmt: skip
    page_template = "admin/memwatch/leak/page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Leak]:
        rows: QuerySet[Leak] = super().get_queryset(request)
        return rows.select_related("service", "process__service", "process__release")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return causes.ByCause

    def act_on_selected(self, request: HttpRequest, queryset: QuerySet[Any], act: Act) -> HttpResponse | None:
        """A row stands for the leak in all its processes."""
        if "rows" not in request.POST:
            listed = self.get_changelist_instance(request)
            queryset = listed.with_members(queryset) if isinstance(listed, causes.ByCause) else queryset
        return super().act_on_selected(request, queryset, act)

    @admin.display(description=gettext_lazy("type"), ordering="object_type")
    def shown_type(self, leak: Leak) -> SafeString:
        held_in = evidence.held_in(leak)
        held = format_html('<span class="mw-second">{}</span>', _("in %s") % held_in) if held_in else ""
        name = formats.link_to(leak, formats.type_name(evidence.name_of(leak)))
        return format_html('{}{}<div class="mw-second">{}</div>', name, held, causes.where(leak))

    severity_shown = columns.severity()
    state_shown = columns.state()
    probability_shown = columns.figure(
        gettext_lazy("probability"), lambda leak: formats.chance(leak.probability), "probability"
    )
    growth = columns.figure(
        gettext_lazy("growth"), lambda leak: evidence.growth(leak, leak.growth_count), "growth_count"
    )
    per_hour = columns.figure(
        gettext_lazy("growth per hour"), lambda leak: evidence.growth(leak, leak.growth_per_hour), "growth_per_hour"
    )
    exhaustion = columns.figure(
        gettext_lazy("memory runs out in"),
        lambda leak: formats.duration(leak.time_left_s(timezone.now())),
        "time_to_exhaustion_s",
    )
    since = columns.text(
        gettext_lazy("growing since"), lambda leak: formats.when(leak.started_at or leak.detected_at), "started_at"
    )

    def page(self, request: HttpRequest, obj: Leak) -> Mapping[str, Any]:
        found = leak_page.context(obj, request.GET, timezone.now(), request.user)
        may_measure = self.may(request, actions.SNAPSHOT) and actions.SNAPSHOT.applies(obj)
        return {
            **found,
            "buttons": [each for each in self.buttons(request, obj) if each["name"] != actions.SNAPSHOT.name],
            "snapshot_url": self.act_url(obj, actions.SNAPSHOT) if may_measure else "",
        }
