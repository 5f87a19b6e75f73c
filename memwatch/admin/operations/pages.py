"""The pages of what keeps memwatch running: rejected reports, counters, leases."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.panels import Line, Table, figure
from memwatch.admin.row_page import RowPage, Text
from memwatch.models import Counter, Lease, RejectedReport
from memwatch.queries.deployment import counters
from memwatch.queries.deployment.operations import rejected_alike
from memwatch.queries.deployment.site import TIMETABLE, TIMETABLE_ONCE
from memwatch.schedule import beat_schedule

REASONS: dict[str, Promise] = {
    "malformed": gettext_lazy(
        "It is not a report, or a field has an impossible value: the detail says which. Possible "
        "causes: a wrong clock, another program that writes to the same place, or a report that was "
        "damaged on the way."
    ),
    "oversized": gettext_lazy("It is too large, and was not read."),
    "version": gettext_lazy("An agent of another version wrote it: deploy the same version of memwatch everywhere."),
    "unstorable": gettext_lazy("It was read, but the database refused it. The detail says why."),
}
_ADVICE: dict[str, tuple[Promise, ...]] = {
    "malformed": (
        gettext_lazy("Read the detail and the excerpt below: they name the field, and often the sender."),
        gettext_lazy("Check the clock of that host: memwatch rejects reports from the future."),
        gettext_lazy("Does another program write to the same folder or stream? Give memwatch one of its own."),
    ),
    "oversized": (
        gettext_lazy("No agent sends reports this large. Check who may write to the transport: see docs/security.md."),
    ),
    "version": (
        gettext_lazy("Restart the processes that run an older version. If this worker is the older one, update it."),
    ),
    "unstorable": (
        gettext_lazy("Read the worker's log of that time: it has the message of the database."),
        gettext_lazy("Were all migrations run? “manage.py memwatch_doctor” checks this."),
    ),
}
COUNTED: dict[str, Promise] = {
    counters.REPORTS: gettext_lazy("reports stored"),
    counters.REJECTED: gettext_lazy("reports rejected, by reason"),
    counters.SNAPSHOTS: gettext_lazy("snapshots stored"),
    counters.DUPLICATES: gettext_lazy("duplicate snapshots"),
    counters.DROPPED: gettext_lazy("snapshots dropped by agents while the transport was unavailable"),
    counters.FAILURES: gettext_lazy("failed samplings"),
    counters.REFUSED: gettext_lazy("commands that agents refused"),
    counters.RECYCLES: gettext_lazy("workers chosen to be recycled, by reason and result"),
    counters.LEAK_DETECTIONS: gettext_lazy("leaks opened, by severity"),
    counters.NOTIFICATIONS_SENT: gettext_lazy("notifications delivered"),
    counters.NOTIFICATIONS_FAILED: gettext_lazy("notifications given up"),
    counters.ATTEMPTS_FAILED: gettext_lazy("failed delivery attempts, retried"),
}
WORK: dict[str, tuple[str, Promise]] = {
    "take_snapshots": ("take_snapshots", gettext_lazy("asks silent processes for a snapshot")),
    "ingest_reports": ("ingest_reports", gettext_lazy("stores the reports that have arrived")),
    "keep_up_recordings": (
        "ingest_reports",
        gettext_lazy("stores the results of recordings, and ends recordings that hang"),
    ),
    "detect_leaks": ("detect_leaks", gettext_lazy("opens, updates and resolves leaks")),
    "check_alerts": ("check_alerts", gettext_lazy("raises and clears alerts")),
    "fire_triggers": ("check_alerts", gettext_lazy("starts the recordings of triggers")),
    "analyse_heap_dumps": ("analyse_heap_dumps", gettext_lazy("analyses heap dumps that have arrived")),
    "recycle_workers": ("recycle_workers", gettext_lazy("recycles workers as the policies say")),
    "send_notifications": ("send_notifications", gettext_lazy("sends alert notifications")),
    "end_stale_processes": ("end_stale_processes", gettext_lazy("ends processes that vanished")),
    "expire_commands": ("end_stale_processes", gettext_lazy("expires commands without an answer")),
    "prune": ("prune", gettext_lazy("rolls up and deletes rows older than their retention")),
    TIMETABLE: ("", gettext_lazy("“manage.py memwatch_work” runs the timetable, without Celery")),
    TIMETABLE_ONCE: ("", gettext_lazy("“manage.py memwatch_work --once” has run what was due of the timetable")),
    "memwatch.lives": ("", gettext_lazy("when recycled workers were last judged together")),
    "memwatch.transport": ("", gettext_lazy("when the transport was last reached, to end processes that vanished")),
    "memwatch.long_windows": ("", gettext_lazy("when growth over days was last judged")),
}
"""By lease: the entry of the timetable that does it, and what it does."""
LATE_INTERVALS = 4
MOST_OTHERS = 10
LONGEST = 160


def rejected(report: RejectedReport, now: datetime) -> RowPage:
    """The page of a report that was not taken."""
    total = {labels.get("reason", ""): count for labels, count in counters.totals(counters.REJECTED)}
    return RowPage(
        title=_("Rejected report"),
        subtitle=report.reason,
        sentence=str(REASONS.get(report.reason, _("The detail says what is wrong."))),
        tone="medium",
        facts=[format_html(_("received {}"), formats.when(report.received_at, now)), size(report.size)],
        tiles=[
            Line(label=_("Size"), value=size(report.size)),
            Line(
                label=_("Rejected for this reason"),
                value=formats.count(total.get(report.reason)),
                hint=_("since counting began"),
                url=formats.changelist("rejectedreport", reason=report.reason),
            ),
        ],
        advice=[str(each) for each in _ADVICE.get(report.reason, ())],
        texts=[
            Text(title=_("What is wrong with it"), text=report.detail or formats.NOT_MEASURED),
            Text(
                title=_("Beginning of the report"),
                text=report.excerpt or formats.NOT_MEASURED,
                hint=_("Unreadable characters are escaped. The rest was not stored."),
            ),
        ],
        tables=[
            Table(
                title=_("Others for the same reason"),
                names=[_("Received"), _("Detail"), _("Size")],
                cells=[
                    [
                        formats.link_to(each, formats.age(each.received_at, now)),
                        Truncator(each.detail).chars(LONGEST),
                        figure(size(each.size), each.size),
                    ]
                    for each in rejected_alike(report, MOST_OTHERS)
                ],
                empty=_("No other report is stored."),
            )
        ],
    )


def size(count: int) -> str:
    """Bytes as people read them."""
    if count < 10_000:
        return _("%s bytes") % formats.count(count)
    return _("%s KB") % formats.count(count / 1024) if count < 1024 * 1024 else formats.kib(count // 1024)


def counter(row: Counter, now: datetime) -> RowPage:
    """The page of a total, beside those of the same name."""
    siblings = counters.counters_named(row.name)
    whole = sum(each.value for each in siblings)
    return RowPage(
        title=capfirst(str(COUNTED.get(row.name, row.name))),
        subtitle=labels_text(row),
        sentence=_("A total that does not fall when rows are pruned."),
        facts=[format_html(_("stored as {}"), formats.type_name(row.name))],
        tiles=[
            Line(label=_("Total"), value=formats.count(row.value)),
            Line(label=_("Share of all"), value=formats.percent(row.value / whole * 100 if whole else None)),
        ],
        tables=[
            Table(
                title=_("By label"),
                names=[_("Labels"), _("Total"), _("Share")],
                cells=[
                    [
                        formats.link_to(each, labels_text(each)),
                        figure(formats.count(each.value), each.value),
                        figure(formats.percent(each.value / whole * 100 if whole else None), each.value),
                    ]
                    for each in siblings
                ],
                note=_("Total of all rows: %s") % formats.count(whole),
            )
        ],
        advice=_counter_advice(row),
    )


def labels_text(row: Counter) -> str:
    """``service shop, severity high``."""
    return ", ".join(f"{key} {value}" for key, value in counters.parse_labels(row.labels).items()) or _("all")


def _counter_advice(row: Counter) -> list[str | SafeString]:
    if row.name == counters.REJECTED:
        text = _("See the latest in the list of {}.")
        return [format_html(text, formats.link(formats.changelist("rejectedreport"), _("rejected reports")))]
    if row.name == counters.REFUSED:
        text = _("See the list of {}: the answers say why.")
        return [format_html(text, formats.link(formats.changelist("command", state="refused"), _("commands")))]
    if row.name == counters.DROPPED:
        return [_("The transport was unavailable or full. “manage.py memwatch_doctor” checks its state.")]
    return []


def state_of(lease: Lease, now: datetime) -> str:
    """``working``, ``done``, ``late`` or ``never``."""
    if lease.holder and lease.expires_at > now:
        return "working"
    if lease.last_finished_at is None:
        return "never"
    every = every_s(lease.name)
    return "late" if every and now - lease.last_finished_at > timedelta(seconds=LATE_INTERVALS * every + 60) else "done"


def every_s(name: str) -> float | None:
    """How often beat asks for it; ``None`` for what is done when it is needed."""
    task = WORK[name][0] if name in WORK else ""
    found = beat_schedule().get(f"memwatch.{task}")
    return float(found["schedule"]) if found else None


def task_of(row: Lease) -> str:
    """What the work does; empty for work of another version."""
    return str(WORK[row.name][1]) if row.name in WORK else ""


def held_until(row: Lease, now: datetime | None = None) -> SafeString | str:
    """The end of the lease; a dash while it is free."""
    return formats.when(row.expires_at, now) if row.holder else formats.NOT_MEASURED


def lease(row: Lease, now: datetime) -> RowPage:
    """The page of work that one worker does at a time."""
    state, every = state_of(row, now), every_s(row.name)
    sentences = {
        "working": _("A worker is running it now."),
        "done": _("The last run was on time."),
        "late": _("It is overdue: it has not run for a long time."),
        "never": _("It started and never finished."),
    }
    return RowPage(
        title=row.name.replace("_", " ").removeprefix("memwatch."),
        subtitle=task_of(row) or _("work that one worker does at a time"),
        state=lease_badge(row, now),
        sentence=sentences[state],
        tone={"working": "good", "done": "good", "late": "high", "never": "medium"}[state],
        tiles=[
            Line(label=_("Last finished"), value=formats.when(row.last_finished_at, now)),
            Line(
                label=_("Interval"),
                value=formats.duration(every),
                hint=_("started by the timetable") if every else _("started on demand"),
            ),
            Line(label=_("Worker"), value=row.holder or _("no worker")),
            Line(
                label=_("Held until"),
                value=held_until(row, now),
                hint=_("then another worker may take over") if row.holder else "",
            ),
        ],
        advice=[
            _("Is beat running, and only once, or “manage.py memwatch_work”? “manage.py memwatch_doctor” checks this."),
            _("With beat: does a worker serve the queue? Start “celery -A yoursite worker -Q celery,memwatch”."),
            _("Does the task fail? Then the worker's log has a line “memwatch: %s failed” with the reason.") % row.name,
        ]
        if state in ("late", "never")
        else [],
    )


def lease_badge(row: Lease, now: datetime) -> SafeString:
    """Its state, as word and shape."""
    kind, words, shape = {
        "working": ("alive", _("running"), "●"),
        "done": ("done", _("done"), "✓"),
        "late": ("stale", _("late"), "◌"),
        "never": ("stale", _("never finished"), "◌"),
    }[state_of(row, now)]
    return formats.badge("state", kind, words, shape)
