"""What keeps memwatch running, to look at: commands, rejected reports, counters, leases."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.base import BoundedPaginator, ReadOnlyAdmin
from memwatch.admin.people import name_of
from memwatch.models import Command, Counter, Lease, RejectedReport
from memwatch.queries import counters

COMMANDS: dict[str, Promise] = {
    "ping": gettext_lazy("answer"),
    "snapshot": gettext_lazy("take a snapshot"),
    "reset_baseline": gettext_lazy("count growth from now on"),
    "record": gettext_lazy("record"),
    "cancel_recording": gettext_lazy("stop recording"),
}
REASONS: dict[str, Promise] = {
    "malformed": gettext_lazy(
        "It is no report, or a field has a value that cannot be. The detail says which: a clock that is wrong, another "
        "program that writes to the same place, or an agent whose report was damaged on the way."
    ),
    "oversized": gettext_lazy("It is larger than a report may be, and was not read."),
    "version": gettext_lazy("An agent of another version wrote it: deploy the same version of memwatch everywhere."),
    "unstorable": gettext_lazy("It was read, but the database refused it. The detail says why."),
}
COUNTERS: dict[str, Promise] = {
    counters.REPORTS: gettext_lazy("reports taken"),
    counters.REJECTED: gettext_lazy("reports set aside, by reason"),
    counters.SNAPSHOTS: gettext_lazy("snapshots stored"),
    counters.DUPLICATES: gettext_lazy("snapshots that came twice and were kept once"),
    counters.DROPPED: gettext_lazy("snapshots that agents could not keep while the transport was away"),
    counters.FAILURES: gettext_lazy("samplings that failed in a watched process"),
    counters.REFUSED: gettext_lazy("commands that agents refused"),
    counters.LEAK_DETECTIONS: gettext_lazy("leaks opened, by severity"),
}
LATE_S = 3600.0


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ("asked_to", "whom", "state_shown", "detail", "sent", "took", "asked_by")
    list_filter = ("state", "name", "process__service")
    list_select_related = ("process__service", "created_by")
    search_fields = ("process__host", "process__service__name", name_of("created_by"), "detail")
    search_help_text = gettext_lazy("Host, service, who asked, or words of the answer")
    paginator = BoundedPaginator
    fields = (
        "asked_to", "whom", "state_shown", "detail", "created_at", "answered_at", "took", "expires_at", "asked_by",
        "snapshot_shown",
    )  # fmt: skip
    readonly_fields = ("asked_to", "whom", "state_shown", "took", "asked_by", "snapshot_shown")
    about = gettext_lazy("What processes were asked to do, and what became of it.")
    empty = gettext_lazy(
        "Nothing was asked yet. “Snapshot now” and “Reset baseline” on the page of a process leave an entry here."
    )

    @admin.display(description=gettext_lazy("asked to"), ordering="name")
    def asked_to(self, command: Command) -> str:
        return str(COMMANDS.get(command.name, command.name))

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
        if command.answered_at is None:
            return formats.number(formats.NOT_MEASURED)
        seconds = (command.answered_at - command.created_at).total_seconds()
        return formats.number(_("%s s") % formats.decimal(max(0.0, seconds)), formats.exact(command.answered_at))

    @admin.display(description=gettext_lazy("by"), ordering=name_of("created_by"))
    def asked_by(self, command: Command) -> str:
        return str(command.created_by or _("memwatch"))

    @admin.display(description=gettext_lazy("snapshot"))
    def snapshot_shown(self, command: Command) -> SafeString | str:
        # The snapshot may have been pruned: only its number is sure.
        if command.snapshot_id is None:
            return formats.NOT_MEASURED
        return formats.link(formats.page_url("snapshot", command.snapshot_id), f"#{command.snapshot_id}")


@admin.register(RejectedReport)
class RejectedReportAdmin(ReadOnlyAdmin):
    list_display = ("received", "reason", "detail_shown", "bytes")
    list_filter = ("reason",)
    search_fields = ("reason", "detail")
    paginator = BoundedPaginator
    fields = ("received_at", "reason", "meaning", "detail", "size", "excerpt_shown")
    readonly_fields = ("meaning", "excerpt_shown")
    about = gettext_lazy("Reports that could not be taken, the last 1,000. Each was counted and logged.")
    empty = gettext_lazy("Every report was taken.")

    @admin.display(description=gettext_lazy("received"), ordering="received_at")
    def received(self, report: RejectedReport) -> SafeString:
        return formats.when(report.received_at)

    @admin.display(description=gettext_lazy("detail"), ordering="detail")
    def detail_shown(self, report: RejectedReport) -> SafeString:
        return format_html('<span class="mw-type">{}</span>', report.detail)

    @admin.display(description=gettext_lazy("what that means"))
    def meaning(self, report: RejectedReport) -> str:
        return str(REASONS.get(report.reason, _("The detail says what is wrong.")))

    @admin.display(description=gettext_lazy("bytes"), ordering="size")
    def bytes(self, report: RejectedReport) -> SafeString:
        return formats.number(formats.count(report.size))

    @admin.display(description=gettext_lazy("excerpt"))
    def excerpt_shown(self, report: RejectedReport) -> SafeString:
        return formats.preformatted(report.excerpt)


@admin.register(Counter)
class CounterAdmin(ReadOnlyAdmin):
    list_display = ("counts", "labels_shown", "total")
    list_filter = ("name",)
    search_fields = ("name", "labels")
    fields = ("name", "counts", "labels_shown", "total")
    readonly_fields = ("counts", "labels_shown", "total")
    ordering = ("name", "labels")
    about = gettext_lazy("Totals that do not fall when rows are pruned; /metrics shows them too.")
    empty = gettext_lazy("Nothing was counted yet: no report has arrived. Do the worker and beat run?")

    @admin.display(description=gettext_lazy("counts"), ordering="name")
    def counts(self, counter: Counter) -> SafeString:
        said = COUNTERS.get(counter.name)
        return format_html('{}<span class="mw-second">{}</span>', said or counter.name, counter.name if said else "")

    @admin.display(description=gettext_lazy("of"), ordering="labels")
    def labels_shown(self, counter: Counter) -> SafeString | str:
        labels = counters.parse_labels(counter.labels)
        return format_html_join(", ", "{} {}", labels.items()) or _("all")

    @admin.display(description=gettext_lazy("total"), ordering="value")
    def total(self, counter: Counter) -> SafeString:
        return formats.number(formats.count(counter.value))


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "state_shown", "holder", "until", "finished")
    search_fields = ("name", "holder")
    fields = ("name", "state_shown", "holder", "expires_at", "last_finished_at")
    readonly_fields = ("state_shown",)
    about = gettext_lazy("The work that only one worker may do at a time: who does it now, and when it was last done.")
    empty = gettext_lazy("No task has run yet: start beat and a worker that serves memwatch's queue.")

    @admin.display(description=gettext_lazy("state"))
    def state_shown(self, lease: Lease) -> SafeString:
        now, last = timezone.now(), lease.last_finished_at
        if lease.holder and lease.expires_at > now:
            return formats.badge("state", "alive", _("at work"), "●")
        if last is None or (now - last).total_seconds() > 2 * LATE_S:
            return formats.badge("state", "stale", _("not done for hours"), "◌")
        return formats.badge("state", "done", _("done"), "✓")

    @admin.display(description=gettext_lazy("held until"), ordering="expires_at")
    def until(self, lease: Lease) -> SafeString | str:
        return formats.when(lease.expires_at) if lease.holder else formats.NOT_MEASURED

    @admin.display(description=gettext_lazy("last finished"), ordering="last_finished_at")
    def finished(self, lease: Lease) -> SafeString:
        return formats.when(lease.last_finished_at)
