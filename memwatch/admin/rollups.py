"""Roll-ups: the figures of an hour or a day, kept after its snapshots are deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats, panels
from memwatch.admin.base import BoundedPaginator
from memwatch.admin.panels import Line
from memwatch.admin.row_page import Cell, RowAdmin, RowPage, Table, figure
from memwatch.models import SnapshotRollup
from memwatch.queries.object_types import names_of
from memwatch.queries.snapshot_mapping import NUMBERS

LENGTHS = {SnapshotRollup.Period.HOUR: timedelta(hours=1), SnapshotRollup.Period.DAY: timedelta(days=1)}
MOST_TYPES = 60


class PeriodFilter(admin.SimpleListFilter):
    """Hours by default: the index orders each period by itself, not both together."""

    title = gettext_lazy("period")
    parameter_name = "period"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(SnapshotRollup.Period.choices)

    def _chosen(self) -> str:
        value = self.value()
        return value if value in SnapshotRollup.Period.values else SnapshotRollup.Period.HOUR

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for key, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: key})
            yield {"selected": self._chosen() == key, "query_string": query, "display": capfirst(title)}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(period=self._chosen())


@admin.register(SnapshotRollup)
class SnapshotRollupAdmin(RowAdmin):
    list_display = ("begins", "whose", "taken", "rss", "heap")
    list_filter = (PeriodFilter, "process__service")
    list_select_related = ("process__service",)
    sortable_by = ()
    paginator = BoundedPaginator
    about = gettext_lazy(
        "Minimum, mean and maximum of each figure in an hour or a day of one process, and the minimum count of each "
        "type. Charts of long ranges and verdicts over days use them."
    )
    empty = gettext_lazy("None yet: the task “prune” writes them once an hour, for hours that are over.")

    @admin.display(description=gettext_lazy("from"), ordering="start")
    def begins(self, row: SnapshotRollup) -> SafeString:
        return formats.moment(row.start)

    @admin.display(description=gettext_lazy("process"))
    def whose(self, row: SnapshotRollup) -> SafeString:
        return formats.link(formats.page_url("process", row.process_id), str(row.process))

    @admin.display(description=gettext_lazy("snapshots"))
    def taken(self, row: SnapshotRollup) -> SafeString:
        return formats.number(formats.count(row.samples))

    @admin.display(description=gettext_lazy("RSS, mean (least to most)"))
    def rss(self, row: SnapshotRollup) -> SafeString:
        return _range(row, "rss_kib")

    @admin.display(description=gettext_lazy("heap used, mean (least to most)"))
    def heap(self, row: SnapshotRollup) -> SafeString:
        return _range(row, "heap_used_kib")

    def row_page(self, obj: SnapshotRollup, now: datetime) -> RowPage:
        end = obj.start + LENGTHS.get(SnapshotRollup.Period(obj.period), timedelta(hours=1))
        process_url = formats.page_url("process", obj.process_id)
        return RowPage(
            title=_("An hour of %s") % obj.process
            if obj.period == SnapshotRollup.Period.HOUR
            else _("A day of %s") % obj.process,
            subtitle=_("%(since)s to %(until)s")
            % {"since": formats.exact(obj.start), "until": formats.exact(end)},
            facts=[
                formats.link(process_url, str(obj.process)),
                format_html(
                    '<a href="{}?from={}&amp;to={}">{}</a>',
                    process_url, obj.start.strftime("%Y-%m-%dT%H:%M:%SZ"), end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    _("its charts of this time"),
                ),
            ],
            tiles=[
                Line(label=_("Snapshots"), value=formats.count(obj.samples), hint=_("rolled up")),
                Line(label=_("RSS, mean"), value=_mean(obj, "rss_kib")),
                Line(label=_("Heap used, mean"), value=_mean(obj, "heap_used_kib")),
            ],
            tables=[
                Table(
                    title=_("Figures"),
                    names=[_("Figure"), _("Least"), _("Mean"), _("Most")],
                    cells=_figures(obj.figures),
                    empty=_("None was measured."),
                ),
                Table(
                    title=_("Types, at their lowest"),
                    names=[_("Type"), _("Least objects")],
                    cells=_floors(obj.floors),
                    empty=_("No census was taken in this time."),
                    note=_("A leak rises at its lowest points too; what only comes and goes does not."),
                ),
            ],
        )  # fmt: skip


def _figures(figures: Any) -> list[list[Cell | str | SafeString]]:
    """A row for each, in the order that comparisons have."""
    known = figures if isinstance(figures, Mapping) else {}
    columns = [*(column for column in NUMBERS if column in known), *sorted(known.keys() - NUMBERS.keys())]
    return [
        [_label(column), *(figure(_shown(column, value), value) for value in known[column])]
        for column in columns
        if isinstance(known[column], list) and len(known[column]) == 3
    ]


def _label(column: str) -> str:
    return _(NUMBERS[column].label) if column in NUMBERS else column.replace("_", " ")


def _shown(column: str, value: float | None) -> str:
    if column not in NUMBERS:
        return formats.count(value)
    unit = NUMBERS[column].unit
    return panels.SHOWN[unit](None if value is None else value / unit.kept)


def _floors(floors: Any) -> list[list[Cell | str | SafeString]]:
    known = {int(key): count for key, count in floors.items()} if isinstance(floors, Mapping) else {}
    names = names_of(known)
    most = sorted(known.items(), key=lambda each: -each[1])[:MOST_TYPES]
    return [
        [
            format_html(
                '<a class="mw-type" href="{}">{}</a>', formats.page_url("objecttype", key), names[key]
            ),
            figure(formats.count(count), count),
        ]
        for key, count in most
    ]  # fmt: skip


def _values(row: SnapshotRollup, column: str) -> list[float] | None:
    values = row.figures.get(column) if isinstance(row.figures, dict) else None
    return values if isinstance(values, list) and len(values) == 3 else None


def _mean(row: SnapshotRollup, column: str) -> str:
    values = _values(row, column)
    return formats.NOT_MEASURED if values is None else formats.kib(round(values[1]))


def _range(row: SnapshotRollup, column: str) -> SafeString:
    values = _values(row, column)
    if values is None:
        return formats.number(formats.NOT_MEASURED)
    low, mean, high = (formats.kib(round(value)) for value in values)
    return formats.number(_("%(mean)s (%(low)s to %(high)s)") % {"mean": mean, "low": low, "high": high})
