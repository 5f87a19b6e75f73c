"""Work by service, and the names of views, tasks and commands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from memwatch.admin import columns, formats
from memwatch.admin.base import BoundedPaginator
from memwatch.admin.panels import Line, Table, figure
from memwatch.admin.row_page import RowAdmin, RowPage
from memwatch.admin.snapshots.rollups import LENGTHS
from memwatch.admin.work import page
from memwatch.models import WorkName, WorkRollup
from memwatch.queries import work
from memwatch.queries.work import WorkRow
from memwatch.records import traces


@admin.register(WorkRollup)
class WorkRollupAdmin(RowAdmin):
    """Its list is the page *Work*, which sums the rows up."""

    related: ClassVar = {"leak": "", "death": "", "recommendation": ""}

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise BadRequest("the address contains a NUL character (%00): remove it")
        related = self.related_links(request)
        context = {**page.context(request.GET, timezone.now()), "related": related, **(extra_context or {})}
        return self.rendered(request, "admin/memwatch/work/page.html", context)

    def row_page(self, obj: WorkRollup, now: datetime) -> RowPage:
        end = obj.start + LENGTHS.get(WorkRollup.Period(obj.period), timedelta(hours=1))
        rows = work.of_row(obj)
        hour = obj.period == WorkRollup.Period.HOUR
        times = {"from": f"{obj.start:%Y-%m-%dT%H:%M:%SZ}", "to": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
        return RowPage(
            title=(_("An hour of %s") if hour else _("A day of %s")) % obj.work,
            subtitle=_("%(since)s to %(until)s") % {"since": formats.exact(obj.start), "until": formats.exact(end)},
            facts=[
                formats.link_to(obj.service),
                formats.link_to(obj.work),
                formats.link(page.url(obj.service_id, **times), _("all work of this time")),
            ],
            tiles=_tiles(work.measured(rows, work.summed(rows))[0]),
        )


@admin.register(WorkName)
class WorkNameAdmin(RowAdmin):
    list_display = ("shown_name", "kind")
    list_filter = ("kind",)
    search_fields = ("name",)
    search_help_text = gettext_lazy("Part of the name")
    paginator = BoundedPaginator
    about = gettext_lazy("Names of views, tasks and commands that any process has reported.")
    empty = gettext_lazy("No process has reported a view, task or command yet. It reports them with its snapshots.")

    shown_name = columns.text(gettext_lazy("name"), lambda row: formats.type_name(row.name), "name")

    def row_page(self, obj: WorkName, now: datetime) -> RowPage:
        rows = work.within(work.of_name(obj), now - work.USUAL, now, now)
        found = work.measured(rows, work.summed(rows))
        return RowPage(
            title=obj.name,
            subtitle=obj.get_kind_display(),
            facts=[formats.link(page.url(name=obj.name), _("work of this name"))],
            tiles=_tiles(found[0]) if len(found) == 1 else [],
            tables=[
                Table(
                    title=_("The last 24 hours, by service"),
                    names=[
                        _("Service"), _("Calls"), _("Errors"), _("Blocks kept per call"), _("KB kept per call"),
                        _("Median peak"), _("Highest peak"), _("95 % time"),
                    ],
                    cells=[
                        [
                            formats.link(page.url(row.service_id, obj.name), row.service),
                            figure(formats.count(row.calls), row.calls),
                            figure(formats.count(row.errors), row.errors),
                            figure(formats.precise(row.kept_blocks_per_call), row.kept_blocks_per_call),
                            figure(formats.precise(row.kept_kib_per_call), row.kept_kib_per_call),
                            figure(formats.megabytes(row.peak_mb_p50), row.peak_mb_p50),
                            figure(formats.megabytes(row.peak_mb_max), row.peak_mb_max),
                            figure(formats.took(row.seconds_p95), row.seconds_p95),
                        ]
                        for row in found
                    ],
                    empty=_("It did not run in this time."),
                )
            ],
        )  # fmt: skip


def _tiles(row: WorkRow) -> list[Line]:
    return [
        Line(label=_("Calls"), value=formats.count(row.calls), hint=_("%s with an error") % formats.count(row.errors)),
        Line(label=_("Calls beside others"), value=formats.count(row.shared), hint=_("in their process")),
        Line(label=_("Blocks kept per call"), value=formats.precise(row.kept_blocks_per_call)),
        Line(label=_("KB kept per call"), value=formats.precise(row.kept_kib_per_call)),
        Line(
            label=_("Highest peak"),
            value=formats.megabytes(row.peak_mb_max),
            hint=_("median %s") % formats.megabytes(row.peak_mb_p50),
        ),
        *(
            [Line(label=_("Trace of the highest peak"), value=traces.trace_id(row.peak_trace))]
            if row.peak_trace
            else []
        ),
        Line(label=_("95 % time"), value=formats.took(row.seconds_p95)),
    ]
