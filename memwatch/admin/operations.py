"""What keeps memwatch running, to look at."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.base import BoundedPaginator, ReadOnlyAdmin
from memwatch.models import Command, Counter, Lease, RejectedReport


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ("name", "process", "state_shown", "detail", "sent", "answered", "created_by")
    list_filter = ("state", "name", "process__service")
    list_select_related = ("process__service", "created_by")
    search_fields = ("process__host", "process__service__name", "created_by__username", "detail")
    paginator = BoundedPaginator
    fields = (
        "name", "process", "state_shown", "detail", "created_at", "answered_at", "expires_at", "created_by",
        "snapshot_shown",
    )  # fmt: skip
    readonly_fields = ("state_shown", "snapshot_shown")

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_shown(self, command: Command) -> SafeString:
        return formats.state_badge(command.state, command.get_state_display())

    @admin.display(description=gettext_lazy("sent"), ordering="created_at")
    def sent(self, command: Command) -> SafeString:
        return formats.when(command.created_at)

    @admin.display(description=gettext_lazy("answered"), ordering="answered_at")
    def answered(self, command: Command) -> SafeString:
        return formats.when(command.answered_at)

    @admin.display(description=gettext_lazy("snapshot"))
    def snapshot_shown(self, command: Command) -> SafeString | str:
        # The snapshot may have been pruned: only its number is sure.
        if command.snapshot_id is None:
            return formats.NOT_MEASURED
        return formats.link(formats.page_url("snapshot", command.snapshot_id), f"#{command.snapshot_id}")


@admin.register(RejectedReport)
class RejectedReportAdmin(ReadOnlyAdmin):
    list_display = ("received", "reason", "detail", "bytes")
    list_filter = ("reason",)
    search_fields = ("reason", "detail")
    paginator = BoundedPaginator
    fields = ("received_at", "reason", "detail", "size", "excerpt_shown")
    readonly_fields = ("excerpt_shown",)

    @admin.display(description=gettext_lazy("received"), ordering="received_at")
    def received(self, report: RejectedReport) -> SafeString:
        return formats.when(report.received_at)

    @admin.display(description=gettext_lazy("bytes"), ordering="size")
    def bytes(self, report: RejectedReport) -> SafeString:
        return formats.number(formats.count(report.size))

    @admin.display(description=gettext_lazy("excerpt"))
    def excerpt_shown(self, report: RejectedReport) -> SafeString:
        return formats.preformatted(report.excerpt)


@admin.register(Counter)
class CounterAdmin(ReadOnlyAdmin):
    list_display = ("name", "labels", "total")
    list_filter = ("name",)
    search_fields = ("name", "labels")
    fields = ("name", "labels", "value")

    @admin.display(description=gettext_lazy("total"), ordering="value")
    def total(self, counter: Counter) -> SafeString:
        return formats.number(formats.count(counter.value))


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "until", "finished")
    search_fields = ("name", "holder")
    fields = ("name", "holder", "expires_at", "last_finished_at")

    @admin.display(description=gettext_lazy("until"), ordering="expires_at")
    def until(self, lease: Lease) -> SafeString:
        return formats.when(lease.expires_at)

    @admin.display(description=gettext_lazy("last finished"), ordering="last_finished_at")
    def finished(self, lease: Lease) -> SafeString:
        return formats.when(lease.last_finished_at)
