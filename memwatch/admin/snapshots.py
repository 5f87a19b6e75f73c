"""Figures kept: snapshots, their roll-ups, baselines. Nobody edits them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import formats, panels
from memwatch.admin.base import BoundedPaginator, PageAdmin, ReadOnlyAdmin
from memwatch.models import Baseline, FiguresColumns, Snapshot, SnapshotRollup


class FiguresAdmin(PageAdmin):
    """Columns that snapshots and baselines share."""

    @admin.display(description=gettext_lazy("RSS"))
    def rss(self, row: FiguresColumns) -> SafeString:
        return formats.number(formats.kib(row.rss_kib))

    @admin.display(description=gettext_lazy("heap used"))
    def heap(self, row: FiguresColumns) -> SafeString:
        return formats.number(formats.kib(row.heap_used_kib))

    @admin.display(description=gettext_lazy("objects"))
    def objects(self, row: FiguresColumns) -> SafeString:
        return formats.number(formats.count(row.total_objects))


@admin.register(Snapshot)
class SnapshotAdmin(FiguresAdmin):
    """Millions of rows: never counted beyond a bound, sorted by the index only."""

    list_display = ("taken", "process", "rss", "heap", "objects", "pause")
    list_filter = ("process__service",)
    list_select_related = ("process__service",)
    sortable_by = ()
    paginator = BoundedPaginator
    page_template = "admin/memwatch/snapshot/page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Snapshot]:
        rows: QuerySet[Snapshot] = super().get_queryset(request)
        listed = (
            request.resolver_match is not None and request.resolver_match.url_name == "memwatch_snapshot_changelist"
        )
        return rows.defer("counts", "extras") if listed else rows

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        # Each of the two is an index: of one process by time, of all by id.
        return ("-timestamp",) if "process__id__exact" in request.GET else ("-id",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "process__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description=gettext_lazy("taken"))
    def taken(self, row: Snapshot) -> SafeString:
        return formats.when(row.timestamp)

    @admin.display(description=gettext_lazy("census pause"))
    def pause(self, row: Snapshot) -> SafeString:
        pause = None if row.census_pause_us is None else row.census_pause_us / 1000
        return formats.number(formats.milliseconds(pause))

    def page(self, request: HttpRequest, obj: Snapshot) -> Mapping[str, Any]:
        figures = queries.figures_of(obj)
        baseline = queries.baseline_of(obj.process)
        return {
            "title": _("Snapshot of %s") % obj.process,
            "subtitle": formats.exact(obj.timestamp),
            "facts": [
                formats.link(formats.page_url("process", obj.process_id), str(obj.process)),
                formats.when(obj.timestamp),
                _("received %s") % formats.exact(obj.received_at),
                _("number %s") % formats.count(obj.seq),
            ],
            "baseline": baseline,
            "types": panels.type_rows(queries.compare(baseline, obj)) if baseline else panels.types_alone(figures),
            "containers": panels.container_rows(figures.big_containers),
            "memory_lines": panels.memory_lines(figures),
            "object_lines": panels.object_lines(figures),
        }


@admin.register(SnapshotRollup)
class SnapshotRollupAdmin(ReadOnlyAdmin):
    list_display = ("start", "period", "process", "samples", "rss", "heap")
    list_filter = ("period", "process__service")
    list_select_related = ("process__service",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("process", "period", "start", "samples", "rss", "heap", "figures_raw")
    readonly_fields = ("rss", "heap", "figures_raw")

    @admin.display(description=gettext_lazy("RSS, mean (smallest to largest)"))
    def rss(self, row: SnapshotRollup) -> SafeString:
        return _range(row, "rss_kib")

    @admin.display(description=gettext_lazy("heap used, mean (smallest to largest)"))
    def heap(self, row: SnapshotRollup) -> SafeString:
        return _range(row, "heap_used_kib")

    @admin.display(description=gettext_lazy("every figure"))
    def figures_raw(self, row: SnapshotRollup) -> SafeString:
        return formats.preformatted(panels.raw_json(row.figures))


def _range(row: SnapshotRollup, column: str) -> SafeString:
    values = row.figures.get(column) if isinstance(row.figures, dict) else None
    if not isinstance(values, list) or len(values) != 3:
        return formats.number(formats.NOT_MEASURED)
    low, mean, high = (formats.kib(value) for value in values)
    return formats.number(f"{mean} ({low} … {high})")


@admin.register(Baseline)
class BaselineAdmin(FiguresAdmin):
    list_display = ("set_at", "whose", "active", "how", "rss", "heap", "objects", "reason")
    list_filter = ("active", "automatic", "service")
    list_select_related = ("service", "process__service", "created_by")
    search_fields = ("service__name", "process__host", "reason")
    page_template = "admin/memwatch/snapshot/page.html"

    @admin.display(description=gettext_lazy("set"), ordering="created_at")
    def set_at(self, row: Baseline) -> SafeString:
        return formats.when(row.created_at)

    @admin.display(description=gettext_lazy("how"), ordering="automatic")
    def how(self, row: Baseline) -> str:
        if row.automatic:
            return _("automatic")
        return _("reset by %s") % row.created_by if row.created_by else _("reset")

    @admin.display(description=gettext_lazy("of"), ordering="service__name")
    def whose(self, row: Baseline) -> str:
        return str(row.process) if row.process else _("all of %s") % row.service.name

    def page(self, request: HttpRequest, obj: Baseline) -> Mapping[str, Any]:
        figures = queries.figures_of(obj)
        if obj.process:
            whose = formats.link(formats.page_url("process", obj.process_id), str(obj.process))
        else:
            whose = formats.link(formats.page_url("service", obj.service_id), obj.service.name)
        by = obj.created_by or _("memwatch")
        facts: list[str | SafeString] = [
            whose,
            _("in force") if obj.active else _("replaced"),
            _("set by %(by)s at %(at)s") % {"by": by, "at": formats.exact(obj.created_at)},
        ]
        if obj.reason:
            facts.append(obj.reason)
        return {
            "title": _("Baseline of %s") % (obj.process or obj.service),
            "subtitle": formats.exact(obj.timestamp),
            "facts": facts,
            "baseline": None,
            "types": panels.types_alone(figures),
            "containers": panels.container_rows(figures.big_containers),
            "memory_lines": panels.memory_lines(figures),
            "object_lines": panels.object_lines(figures),
        }
