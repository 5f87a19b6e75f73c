"""Roll-ups: what is left of an hour or a day of snapshots when those are gone."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats, panels
from memwatch.admin.base import BoundedPaginator, ReadOnlyAdmin
from memwatch.models import SnapshotRollup


@admin.register(SnapshotRollup)
class SnapshotRollupAdmin(ReadOnlyAdmin):
    list_display = ("begins", "period", "whose", "taken", "rss", "heap")
    list_filter = ("period", "process__service")
    list_select_related = ("process__service",)
    sortable_by = ()
    paginator = BoundedPaginator
    fields = ("whose", "period", "start", "taken", "rss", "heap", "figures_raw")
    readonly_fields = ("whose", "taken", "rss", "heap", "figures_raw")
    about = gettext_lazy(
        "Least, mean and most of every figure in an hour or a day of one process, and the least count of each type. "
        "The charts of long ranges and the verdicts over days are made of these."
    )
    empty = gettext_lazy("None yet: the task “prune” writes them once an hour, for hours that are over.")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "process__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description=gettext_lazy("from"), ordering="start")
    def begins(self, row: SnapshotRollup) -> str:
        return formats.exact(row.start)

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

    @admin.display(description=gettext_lazy("every figure"))
    def figures_raw(self, row: SnapshotRollup) -> SafeString:
        return formats.preformatted(panels.raw_json(row.figures))


def _range(row: SnapshotRollup, column: str) -> SafeString:
    values = row.figures.get(column) if isinstance(row.figures, dict) else None
    if not isinstance(values, list) or len(values) != 3:
        return formats.number(formats.NOT_MEASURED)
    low, mean, high = (formats.kib(value) for value in values)
    return formats.number(_("%(mean)s (%(low)s to %(high)s)") % {"mean": mean, "low": low, "high": high})
