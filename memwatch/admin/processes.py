"""Processes: the list with the figures of now, and the page of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, FloatField, QuerySet
from django.db.models.functions import Cast, NullIf
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import charts, fleet_acts, formats, leak_tables, panels
from memwatch.admin.base import PageAdmin
from memwatch.models import Baseline, Leak, Process, Snapshot
from memwatch.queries import ProcessFigures

STATE_WORDS = {
    "alive": gettext_lazy("alive"),
    "stale": gettext_lazy("stale"),
    "ended": gettext_lazy("ended"),
}

SLOT_LIVES = 5


def _figure(process: Any, name: str) -> Any:
    figures = process.shown.figures
    return None if figures is None else getattr(figures, name)


def counted_objects(item: ProcessFigures) -> SafeString:
    """Its objects; of the latest census, with its age, where the last snapshot took none."""
    if item.process.outside:
        return formats.number(formats.NOT_MEASURED, title=_("Seen from outside: its objects cannot be counted."))
    if item.census is None or item.census.total_objects is None:
        return formats.number(formats.NOT_MEASURED, title=_("No census yet: it waits for its share of CPU."))
    count = formats.count(item.census.total_objects)
    if item.figures is not None and item.figures.total_objects is not None:
        return formats.number(count)
    title = _("Counted %s: the last snapshot took no census.") % formats.age(item.census.timestamp)
    return formats.number(_("%s*") % count, title=title)


def process_state(process: Process) -> SafeString:
    """Alive, stale or ended, as a badge."""
    return formats.state_badge(process.state, STATE_WORDS[process.state])


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
        leaking = Leak.objects.active().exclude(process=None).values("process")
        if self.value() == "yes":
            return queryset.filter(pk__in=leaking)
        return queryset.exclude(pk__in=leaking) if self.value() == "no" else queryset


class ProcessList(ChangeList):
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
    acts = (fleet_acts.SNAPSHOT_PROCESS, fleet_acts.RESET_PROCESS)
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
        now = timezone.now()
        hours = charts.hours_asked(request.GET.get("hours"))
        last, baseline = queries.last_snapshot_of(obj), queries.baseline_of(obj)
        figures = queries.figures_of(last) if last else None
        leaks = leak_tables.worst_first(obj.leaks.unresolved().select_related("service", "process__service"))
        history = queries.history(obj, since=charts.look_back(now, hours), limit=charts.MOST_READ)
        leaking = [leak.object_type for leak in leaks if leak.state != Leak.State.SUPPRESSED]
        return {
            "outside": obj.outside,
            "title": obj.slot,
            "subtitle": _("on %s") % obj.host,
            "state": process_state(obj),
            "facts": self._facts(obj),
            "figures": figures,
            "taken": formats.when(figures.timestamp, now) if figures else "",
            "tiles": panels.now_tiles(figures, queries.drift_of(obj)),
            "leaks": [leak_tables.leak_row(leak, now) for leak in leaks],
            "charts": charts.process_charts(history),
            "ranges": charts.range_links(hours),
            "baseline": baseline,
            "baseline_text": self._baseline_text(obj, baseline),
            "types": self._types(last, baseline, leaking),
            "containers": panels.container_rows(figures.big_containers if figures else None),
            "memory_lines": panels.memory_lines(figures) if figures else [],
            "object_lines": panels.object_lines(figures) if figures else [],
            "identity": self._identity(obj),
            "lives": self._lives(obj),
            "snapshots_url": formats.changelist("snapshot", process__id__exact=obj.pk),
        }

    def _facts(self, process: Process) -> list[str | SafeString]:
        facts: list[str | SafeString] = [
            formats.link(formats.page_url("service", process.service_id), process.service.name),
            _("pid %d") % process.pid,
            format_html(_("started {}"), formats.when(process.started_at)),
            format_html(_("last seen {}"), formats.when(process.last_seen_at)),
        ]
        if process.release:
            facts.insert(1, _("release %s") % process.release.name)
        if process.ended_at:
            facts.append(format_html("{} {}", process.get_end_reason_display(), formats.when(process.ended_at)))
        return facts

    def _types(self, last: Snapshot | None, baseline: Baseline | None, leaking: list[str]) -> list[panels.TypeRow]:
        if last is None:
            return []
        if baseline is None:
            return panels.types_alone(queries.figures_of(last))
        return panels.type_rows(queries.compare(baseline, last), leaking)

    def _baseline_text(self, process: Process, baseline: Baseline | None) -> str | SafeString:
        if baseline is None:
            return _("There is no baseline yet: it is set by the first snapshot after the warm-up.")
        whose = _("of the service") if baseline.process_id is None else _("of this process")
        how = _("set automatically") if baseline.automatic else _("reset")
        return format_html(
            _("Compared with the {} {}, {} {}."),
            formats.link(formats.page_url("baseline", baseline.pk), _("baseline")),
            whose,
            how,
            formats.when(baseline.created_at),
        )

    def _identity(self, process: Process) -> list[panels.Line]:
        return [
            panels.Line(label=_("Program"), value=process.program or formats.NOT_MEASURED),
            panels.Line(label=_("Command line"), value=process.command_line or formats.NOT_MEASURED),
            panels.Line(label=_("Parent"), value=str(process.parent_pid or formats.NOT_MEASURED)),
            panels.Line(label=_("Python"), value=process.python or formats.NOT_MEASURED),
            panels.Line(label=_("Agent"), value=process.agent_version or formats.NOT_MEASURED),
            panels.Line(label=_("Seen first"), value=formats.when(process.first_seen_at)),
            panels.Line(label=_("Lease until"), value=formats.when(process.lease_expires_at)),
            panels.Line(label=_("Snapshots dropped"), value=formats.count(process.dropped_snapshots)),
            panels.Line(label=_("Samplings failed"), value=formats.count(process.sampling_failures)),
            panels.Line(label=_("Commands refused"), value=formats.count(process.refused_commands)),
        ]

    def _lives(self, process: Process) -> list[dict[str, Any]]:
        """Who else held this slot, newest first."""
        others = (
            Process.objects.filter(service=process.service_id, host=process.host, slot_number=process.slot_number)
            .exclude(pk=process.pk)
            .order_by("-started_at")[:SLOT_LIVES]
        )
        return [
            {
                "url": formats.page_url("process", other.pk),
                "pid": other.pid,
                "started": formats.when(other.started_at),
                "state": process_state(other),
            }
            for other in others
        ]
