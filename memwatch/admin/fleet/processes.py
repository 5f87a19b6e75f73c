"""Processes: the list with the figures of now, and the page of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import F, FloatField, QuerySet
from django.db.models.functions import Cast, NullIf
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import formats
from memwatch.admin.base import Listed, PageAdmin
from memwatch.admin.fleet import actions, process_page, slots
from memwatch.admin.process_tables import counted_objects, process_state
from memwatch.models import Process
from memwatch.queries.leaks import leaking_processes


def _figure(process: Any, name: str) -> Any:
    figures = process.shown.figures
    return None if figures is None else getattr(figures, name)


class StateFilter(admin.SimpleListFilter):
    """Shows the living unless asked otherwise: recycled workers pile up."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("alive", gettext_lazy("Alive")),
            ("stale", gettext_lazy("Stale (no goodbye)")),
            ("ended", gettext_lazy("Ended")),
            ("all", gettext_lazy("All")),
        ]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        value = self.value() or "alive"
        for key, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: key})
            yield {"selected": value == key, "query_string": query, "display": title}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or "alive"
        if value == "all":
            return queryset
        if value == "stale":
            return queryset.filter(ended_at__isnull=False, end_reason=Process.End.STALE)
        return queryset.filter(ended_at__isnull=value == "alive")


class LeakingFilter(admin.SimpleListFilter):
    title = gettext_lazy("leaks")
    parameter_name = "leaking"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("With open leaks")), ("no", gettext_lazy("Without"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        leaking = leaking_processes()
        if self.value() == "yes":
            return queryset.filter(pk__in=leaking)
        return queryset.exclude(pk__in=leaking) if self.value() == "no" else queryset


class ProcessList(Listed):
    """The list's rows with their figures, looked up once for the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        for row, item in zip(rows, queries.figures_of_processes(rows, census=True), strict=True):
            row.shown = item
        self.result_list = rows


@admin.register(Process)
class ProcessAdmin(PageAdmin):
    list_display = (
        "slot_name", "state_shown", "open_leaks", "rss", "heap", "heap_share", "drift", "objects", "last_seen",
    )  # fmt: skip
    list_filter = (StateFilter, LeakingFilter, "service")
    search_fields = ("service__name", "host", "=pid", "program", "command_line", "release__name")
    search_help_text = gettext_lazy("Service, host, pid, program, command line or release")
    about = gettext_lazy("Python processes that memwatch watches. Use the filter “state” to see ended processes.")
    empty = gettext_lazy(
        "No process is alive. One reports within seconds of its start where memwatch is in its INSTALLED_APPS and it "
        "has the same TRANSPORT; “manage.py memwatch_doctor” finds the cause."
    )
    acts = (actions.SNAPSHOT_PROCESS, actions.RESET_PROCESS)
    related: ClassVar = {
        "snapshot": "process", "snapshotrollup": "process", "baseline": "process", "command": "process",
        "recording": "process", "alert": "process", "service": "",
    }  # fmt: skip
    page_template = "admin/memwatch/process/page.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ProcessList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Process]:
        used, limit = F("last_snapshot__heap_used_kib"), F("last_snapshot__heap_limit_kib")
        rows: QuerySet[Process] = super().get_queryset(request).select_related("service", "release", "last_snapshot")
        return rows.annotate(used_share=Cast(used, FloatField()) / NullIf(Cast(limit, FloatField()), 0.0))

    @admin.display(description=gettext_lazy("process"), ordering="service__name")
    def slot_name(self, process: Process) -> SafeString:
        facts = [process.host, _("pid %d") % process.pid]
        if process.release:
            facts.append(process.release.name)
        return format_html('{}<span class="mw-second">{}</span>', process.slot, " · ".join(facts))

    @admin.display(description=gettext_lazy("state"), ordering="ended_at")
    def state_shown(self, process: Process) -> SafeString:
        return process_state(process)

    @admin.display(description=gettext_lazy("RSS"), ordering="last_snapshot__rss_kib")
    def rss(self, process: Any) -> SafeString:
        return formats.number(formats.megabytes(_figure(process, "rss_mb")))

    @admin.display(description=gettext_lazy("heap used"), ordering="last_snapshot__heap_used_kib")
    def heap(self, process: Any) -> SafeString:
        return formats.number(formats.megabytes(_figure(process, "heap_used_mb")))

    @admin.display(description=gettext_lazy("of limit"), ordering="used_share")
    def heap_share(self, process: Any) -> SafeString:
        return formats.number(formats.percent(_figure(process, "heap_percent")))

    @admin.display(description=gettext_lazy("objects"), ordering="last_snapshot__total_objects")
    def objects(self, process: Any) -> SafeString:
        return counted_objects(process.shown)

    @admin.display(description=gettext_lazy("heap drift"))
    def drift(self, process: Any) -> SafeString:
        return formats.number(formats.signed_percent(process.shown.drift_percent))

    @admin.display(description=gettext_lazy("leaks"))
    def open_leaks(self, process: Any) -> SafeString:
        found = process.shown.open_leaks
        if not found:
            return formats.number("0")
        return formats.number(
            formats.link(formats.changelist("leak", process__id__exact=process.pk), formats.count(found))
        )

    @admin.display(description=gettext_lazy("last seen"), ordering="last_seen_at")
    def last_seen(self, process: Process) -> SafeString:
        return formats.when(process.last_seen_at)

    def page(self, request: HttpRequest, obj: Process) -> Mapping[str, Any]:
        return process_page.context(obj, request.GET, timezone.now())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.slot_view)
        return [
            path("slot/<int:service>/<path:host>/<int:slot>/", view, name="memwatch_process_slot"),
            *super().get_urls(),
        ]

    def slot_view(self, request: HttpRequest, service: int, host: str, slot: int) -> HttpResponse:
        """Every process that held a slot, one after the other, in one chart."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = slots.context(service, host, slot, request.GET, timezone.now())
        if found is None:
            return self.gone(request, host)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": found["title"],
            "media": self.media,
            **found,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/memwatch/slot/page.html", context)
