"""Commands, rejected reports, counters and leases."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import columns, formats
from memwatch.admin.base import BoundedPaginator
from memwatch.admin.formats import name_of
from memwatch.admin.operations import command_page, pages
from memwatch.admin.row_page import RowAdmin, RowPage
from memwatch.models import Command, Counter, Lease, RejectedReport


@admin.register(Command)
class CommandAdmin(RowAdmin):
    list_display = ("asked_to", "whom", "state_shown", "detail", "sent", "took", "asked_by")
    list_filter = ("state", "name", "process__service")
    list_select_related = ("process__service", "created_by")
    search_fields = ("process__host", "process__service__name", name_of("created_by"), "detail")
    search_help_text = gettext_lazy("Host, service, who asked, or words of the answer")
    paginator = BoundedPaginator
    related: ClassVar = {"counter": ""}
    about = gettext_lazy("Commands sent to processes, and their answers.")
    empty = gettext_lazy("No command yet. “Snapshot now” and “Reset baseline” on the page of a process send one.")

    asked_to = columns.text(gettext_lazy("command"), command_page.name_of, "name")
    whom = columns.link(gettext_lazy("process"), "process", "process__service__name")
    state_shown = columns.state()
    sent = columns.when(gettext_lazy("sent"), "created_at")
    asked_by = columns.text(
        gettext_lazy("by"), lambda command: str(command.created_by or _("memwatch")), name_of("created_by")
    )

    @admin.display(description=gettext_lazy("answered after"))
    def took(self, command: Command) -> SafeString:
        exact = formats.exact(command.answered_at) if command.answered_at else ""
        return formats.number(command_page.seconds(command_page.took_s(command)), exact)

    def row_page(self, obj: Command, now: datetime) -> RowPage:
        return command_page.page(obj, now)


@admin.register(RejectedReport)
class RejectedReportAdmin(RowAdmin):
    list_display = ("received", "reason", "detail_shown", "size_shown")
    list_filter = ("reason",)
    search_fields = ("reason", "detail")
    paginator = BoundedPaginator
    related: ClassVar = {"counter": ""}
    about = gettext_lazy("Reports that could not be stored: the last 1,000. Each is counted and logged.")
    empty = gettext_lazy("None: every report was stored.")

    received = columns.when(gettext_lazy("received"), "received_at")
    detail_shown = columns.text(gettext_lazy("detail"), lambda report: formats.type_name(report.detail), "detail")
    size_shown = columns.figure(gettext_lazy("size"), lambda report: pages.size(report.size), "size")

    def row_page(self, obj: RejectedReport, now: datetime) -> RowPage:
        return pages.rejected(obj, now)


@admin.register(Counter)
class CounterAdmin(RowAdmin):
    list_display = ("counts", "labels_shown", "total")
    list_filter = ("name",)
    search_fields = ("name", "labels")
    ordering = ("name", "labels")
    related: ClassVar = {"rejectedreport": "", "lease": ""}
    about = gettext_lazy("Totals that do not fall when rows are pruned; /metrics shows them too.")
    empty = gettext_lazy("No counter yet: no report has arrived. Check that beat and a worker run, or memwatch_work.")

    @admin.display(description=gettext_lazy("counter"), ordering="name")
    def counts(self, counter: Counter) -> SafeString:
        said = pages.COUNTED.get(counter.name)
        return format_html('{}<span class="mw-second">{}</span>', said or counter.name, counter.name if said else "")

    labels_shown = columns.text(gettext_lazy("labels"), pages.labels_text, "labels")
    total = columns.figure(gettext_lazy("total"), lambda counter: formats.count(counter.value), "value")

    def row_page(self, obj: Counter, now: datetime) -> RowPage:
        return pages.counter(obj, now)


@admin.register(Lease)
class LeaseAdmin(RowAdmin):
    list_display = ("name", "does", "state_shown", "held_by", "until", "finished")
    search_help_text = gettext_lazy("Name or holder")
    search_fields = ("name", "holder")
    about = gettext_lazy("Work that one worker does at a time: the current worker, and the last run.")
    empty = gettext_lazy("No task has run yet: start beat and a worker that serves memwatch's queue, or memwatch_work.")

    state_shown = columns.text(gettext_lazy("state"), lambda lease: pages.lease_badge(lease, timezone.now()))
    does = columns.text(gettext_lazy("task"), pages.task_of)
    held_by = columns.text(gettext_lazy("holder"), lambda lease: lease.holder or formats.NOT_MEASURED, "holder")
    until = columns.text(gettext_lazy("held until"), pages.held_until, "expires_at")
    finished = columns.when(gettext_lazy("last finished"), "last_finished_at")

    def row_page(self, obj: Lease, now: datetime) -> RowPage:
        return pages.lease(obj, now)
