"""Processes: the list with the figures of now, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, FloatField, QuerySet
from django.db.models.functions import Cast, NullIf
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import columns, formats
from memwatch.admin.base import Listed, PageAdmin
from memwatch.admin.filters import ChoiceFilter
from memwatch.admin.fleet import actions, add_program, process_page, slots
from memwatch.admin.process_tables import counted_objects, process_state, slot_name
from memwatch.models import Process
from memwatch.queries.leaks import leaking_processes


def _figure(process: Any, name: str) -> Any:
    figures = process.shown.figures
    return None if figures is None else getattr(figures, name)


def _leaks(process: Any) -> str | SafeString:
    found = process.shown.open_leaks
    url = formats.changelist("leak", process__id__exact=process.pk)
    return formats.link(url, formats.count(found)) if found else "0"


class StateFilter(ChoiceFilter):
    """Shows the living unless asked otherwise: recycled workers pile up."""

    title = gettext_lazy("state")
    parameter_name = "state"
    options = (
        ("alive", gettext_lazy("Alive")),
        ("stale", gettext_lazy("Stale (stopped reporting)")),
        ("ended", gettext_lazy("Ended")),
        ("all", gettext_lazy("All")),
    )
    usual = "alive"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.chosen == "all":
            return queryset
        if self.chosen == "stale":
            return queryset.filter(ended_at__isnull=False, end_reason__in=Process.SILENT_ENDS)
        return queryset.filter(ended_at__isnull=self.chosen == "alive")


class LeakingFilter(ChoiceFilter):
    title = gettext_lazy("leaks")
    parameter_name = "leaking"
    options = (("yes", gettext_lazy("With open leaks")), ("no", gettext_lazy("Without")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        leaking = leaking_processes()
        if self.chosen == "yes":
            return queryset.filter(pk__in=leaking)
        return queryset.exclude(pk__in=leaking) if self.chosen == "no" else queryset


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
        "No process is alive. A process reports within seconds of its start if its INSTALLED_APPS has memwatch and its "
        "TRANSPORT is the same as here. If none does, “manage.py memwatch_doctor” finds the cause."
    )
    acts = (actions.SNAPSHOT_PROCESS, actions.RESET_PROCESS)
    related: ClassVar = {
        "snapshot": "process", "snapshotrollup": "process", "baseline": "process", "command": "process",
        "recording": "process", "alert": "process", "service": "",
        "workrollup": "service=service_id", "death": "service=service_id",
    }  # fmt: skip
    page_template = "admin/memwatch/process/page.html"
    change_list_template = "admin/memwatch/process/list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ProcessList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Process]:
        used, limit = F("last_snapshot__heap_used_kib"), F("last_snapshot__heap_limit_kib")
        rows: QuerySet[Process] = super().get_queryset(request).select_related("service", "release", "last_snapshot")
        return rows.annotate(used_share=Cast(used, FloatField()) / NullIf(Cast(limit, FloatField()), 0.0))

    slot_name = columns.text(gettext_lazy("process"), slot_name, "service__name")
    state_shown = columns.text(gettext_lazy("state"), process_state, "ended_at")
    open_leaks = columns.figure(gettext_lazy("leaks"), _leaks)
    rss = columns.figure(
        gettext_lazy("RSS"), lambda process: formats.megabytes(_figure(process, "rss_mb")), "last_snapshot__rss_kib"
    )
    heap = columns.figure(
        gettext_lazy("heap used"),
        lambda process: formats.megabytes(_figure(process, "heap_used_mb")),
        "last_snapshot__heap_used_kib",
    )
    heap_share = columns.figure(
        gettext_lazy("limit used"), lambda process: formats.percent(_figure(process, "heap_percent")), "used_share"
    )
    drift = columns.figure(
        gettext_lazy("heap drift"), lambda process: formats.signed_percent(process.shown.drift_percent)
    )
    objects = columns.text(
        gettext_lazy("objects"), lambda process: counted_objects(process.shown), "last_snapshot__total_objects"
    )
    last_seen = columns.when(gettext_lazy("last seen"), "last_seen_at")

    def page(self, request: HttpRequest, obj: Process) -> Mapping[str, Any]:
        return process_page.context(obj, request.GET, timezone.now(), request.user)

    def get_urls(self) -> list[URLPattern]:
        view = self.for_viewers(self.slot_view)
        return [
            path("slot/<int:service>/<path:host>/<int:slot>/", view, name="memwatch_process_slot"),
            path("add-program/", self.for_viewers(self.program_view), name=add_program.URL_NAME),
            *super().get_urls(),
        ]

    def program_view(self, request: HttpRequest) -> HttpResponse:
        """The lines for another program, and whether it reports."""
        found = add_program.context(
            request.GET.get("service"), timezone.now(), may_see=request.user.has_perm(add_program.PERMISSION)
        )
        return self.rendered(request, "admin/memwatch/process/add_program.html", found)

    def slot_view(self, request: HttpRequest, service: int, host: str, slot: int) -> HttpResponse:
        """Every process that held a slot, one after the other, in one chart."""
        found = slots.context(service, host, slot, request.GET, timezone.now())
        if found is None:
            return self.gone(request, host)
        return self.rendered(request, "admin/memwatch/slot/page.html", found)
