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

from memwatch.admin import formats
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

    @admin.display(description=gettext_lazy("command"), ordering="name")
    def asked_to(self, command: Command) -> str:
        return command_page.name_of(command)

    @admin.display(description=gettext_lazy("process"), ordering="process__service__name")
    def whom(self, command: Command) -> SafeString:
        return formats.link(formats.page_url("process", command.process_id), str(command.process))

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, command: Command) -> SafeString:
        return formats.state_badge(command.state, command.get_state_display())

    @admin.display(description=gettext_lazy("sent"), ordering="created_at")
    def sent(self, command: Command) -> SafeString:
        return formats.when(command.created_at)

    @admin.display(description=gettext_lazy("answered after"))
    def took(self, command: Command) -> SafeString:
        exact = formats.exact(command.answered_at) if command.answered_at else ""
        return formats.number(command_page.seconds(command_page.took_s(command)), exact)

    @admin.display(description=gettext_lazy("by"), ordering=name_of("created_by"))
    def asked_by(self, command: Command) -> str:
        return str(command.created_by or _("memwatch"))

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

    @admin.display(description=gettext_lazy("received"), ordering="received_at")
    def received(self, report: RejectedReport) -> SafeString:
        return formats.when(report.received_at)

    @admin.display(description=gettext_lazy("detail"), ordering="detail")
    def detail_shown(self, report: RejectedReport) -> SafeString:
        return format_html('<span class="mw-type">{}</span>', report.detail)

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def size_shown(self, report: RejectedReport) -> SafeString:
        return formats.number(pages.size(report.size))

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
    empty = gettext_lazy("No counter yet: no report has arrived. Check that a worker and beat are running.")

    @admin.display(description=gettext_lazy("counts"), ordering="name")
    def counts(self, counter: Counter) -> SafeString:
        said = pages.COUNTED.get(counter.name)
        return format_html('{}<span class="mw-second">{}</span>', said or counter.name, counter.name if said else "")

    @admin.display(description=gettext_lazy("of"), ordering="labels")
    def labels_shown(self, counter: Counter) -> str:
        return pages.labels_text(counter)

    @admin.display(description=gettext_lazy("total"), ordering="value")
    def total(self, counter: Counter) -> SafeString:
        return formats.number(formats.count(counter.value))

    def row_page(self, obj: Counter, now: datetime) -> RowPage:
        return pages.counter(obj, now)


@admin.register(Lease)
class LeaseAdmin(RowAdmin):
    list_display = ("name", "does", "state_shown", "held_by", "until", "finished")
    search_help_text = gettext_lazy("Name or holder")
    search_fields = ("name", "holder")
    about = gettext_lazy("Work that one worker does at a time: the current worker, and the last run.")
    empty = gettext_lazy("No task has run yet: start beat and a worker that serves memwatch's queue.")

    @admin.display(description=gettext_lazy("state"))
    def state_shown(self, lease: Lease) -> SafeString:
        return pages.lease_badge(lease, timezone.now())

    @admin.display(description=gettext_lazy("task"))
    def does(self, lease: Lease) -> str:
        return str(pages.WORK[lease.name][1]) if lease.name in pages.WORK else ""

    @admin.display(description=gettext_lazy("holder"), ordering="holder")
    def held_by(self, lease: Lease) -> str:
        return lease.holder or formats.NOT_MEASURED

    @admin.display(description=gettext_lazy("held until"), ordering="expires_at")
    def until(self, lease: Lease) -> SafeString | str:
        return formats.when(lease.expires_at) if lease.holder else formats.NOT_MEASURED

    @admin.display(description=gettext_lazy("last finished"), ordering="last_finished_at")
    def finished(self, lease: Lease) -> SafeString:
        return formats.when(lease.last_finished_at)

    def row_page(self, obj: Lease, now: datetime) -> RowPage:
        return pages.lease(obj, now)
