"""Roll-ups: the figures of an hour or a day, kept after its snapshots are deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import columns, formats, panels
from memwatch.admin.base import BoundedPaginator
from memwatch.admin.filters import ChoiceFilter
from memwatch.admin.panels import Cell, Line, Table, figure
from memwatch.admin.row_page import RowAdmin, RowPage
from memwatch.models import SnapshotRollup
from memwatch.queries.diagnosis.object_types import names_of
from memwatch.queries.series.snapshot_mapping import NUMBERS

LENGTHS = {SnapshotRollup.Period.HOUR: timedelta(hours=1), SnapshotRollup.Period.DAY: timedelta(days=1)}
MOST_TYPES = 60


class PeriodFilter(ChoiceFilter):
    """Hours by default: the index orders each period by itself, not both together."""

    title = gettext_lazy("period")
    parameter_name = "period"
    options = SnapshotRollup.Period.choices
    usual = SnapshotRollup.Period.HOUR

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(period=self.chosen)


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
    empty = gettext_lazy("No roll-up yet. The task “prune” writes them once an hour, for hours that have ended.")

    begins = columns.text(gettext_lazy("from"), lambda row: formats.moment(row.start), "start")
    whose = columns.link(gettext_lazy("process"), "process")
    taken = columns.figure(gettext_lazy("snapshots"), lambda row: formats.count(row.samples))
    rss = columns.figure(gettext_lazy("RSS, mean (min to max)"), lambda row: _range(row, "rss_kib"))
    heap = columns.figure(gettext_lazy("heap used, mean (min to max)"), lambda row: _range(row, "heap_used_kib"))

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
                formats.link_to(obj.process),
                format_html(
                    '<a href="{}?from={}&amp;to={}">{}</a>',
                    process_url, obj.start.strftime("%Y-%m-%dT%H:%M:%SZ"), end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    _("charts of this time"),
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
                    names=[_("Figure"), _("Minimum"), _("Mean"), _("Maximum")],
                    cells=_figures(obj.figures),
                    empty=_("No figure was measured."),
                ),
                Table(
                    title=_("Types, at their minimum"),
                    names=[_("Type"), _("Minimum count")],
                    cells=_floors(obj.floors),
                    empty=_("No census was taken in this time."),
                    note=_("The minimum of a leaking type rises. That of a type that comes and goes does not."),
                ),
            ],
        )  # fmt: skip


def _figures(figures: Any) -> list[list[Cell | str]]:
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


def _floors(floors: Any) -> list[list[Cell | str]]:
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


def _range(row: SnapshotRollup, column: str) -> str:
    values = _values(row, column)
    if values is None:
        return formats.NOT_MEASURED
    low, mean, high = (formats.kib(round(value)) for value in values)
    return _("%(mean)s (%(low)s to %(high)s)") % {"mean": mean, "low": low, "high": high}
