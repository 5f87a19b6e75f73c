"""How a process ended, at the top of its page: why, what it was doing, what filled it, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.deaths import words
from memwatch.admin.deaths.admin import url
from memwatch.admin.deaths.evidence import Evidence
from memwatch.admin.panels import LIMIT_SOURCES, Cell, Line, Table, figure
from memwatch.models import Leak, Process
from memwatch.queries.leaks import active_by_type
from memwatch.queries.processes import deaths
from memwatch.records import traces

End = Process.End
NO_RECORD = gettext_lazy(
    "No flight record of it was found. So memwatch does not know which job was running, or how much memory the process "
    "had in its last seconds."
)
NO_STATUS = gettext_lazy(
    "Its exit status is not known. From Linux 6.15 on any process can read it. On older kernels only the parent "
    "process can: memwatch has hooks for Celery and for gunicorn that do so."
)
NO_COUNTER = gettext_lazy(
    "The kernel's count of OOM kills in its container is not known. So it is not proven whether it was killed for lack "
    "of memory."
)
SILENT = gettext_lazy("It stopped reporting, and nothing shows why.")
NO_LIMIT = gettext_lazy("No memory limit of it is known.")
NO_SUMMARY = gettext_lazy(
    "There is no heap summary. A process writes one near its memory limit, if there is still room for it."
)


def context(process: Process, evidence: Evidence, now: datetime) -> dict[str, Any] | None:
    """What its template shows; ``None`` where there is nothing to explain. Two queries."""
    if process.ended_at is None or not (process.end_reason in Process.DEATHS or evidence.known):
        return None
    names = {row[0] for row in evidence.growers} | {row[0] for row in evidence.summary}
    leaks = active_by_type(process.service_id, names)
    tables = (_recent(evidence), _growers(evidence, leaks), _summary(evidence, leaks))
    return {
        "sentence": formats.with_names(evidence.sentence or _without_evidence(process)),
        "tone": tone if (tone := words.severity(process.end_reason)) != "low" else "",
        "facts": _facts(process, evidence),
        "tiles": _tiles(evidence),
        "earlier": formats.with_names(deaths.earlier(process, now)),
        "all_url": url(process.service_id, time="all"),
        "all_text": _("Deaths of %s") % process.service,
        "advice": [formats.with_names(each) for each in deaths.advice(process.end_reason)],
        "lines": _lines(evidence),
        "tables": [table for table in tables if table],
        "not_known": _not_known(process, evidence),
    }


def _without_evidence(process: Process) -> str:
    silent = process.end_reason in Process.SILENT_ENDS
    return str(SILENT) if silent else f"{capfirst(process.get_end_reason_display())}."


def _facts(process: Process, evidence: Evidence) -> list[str | SafeString]:
    ended = process.ended_at or process.last_seen_at
    lived = formats.duration((ended - process.started_at).total_seconds())
    facts: list[str | SafeString] = [words.reason(process), formats.moment(ended), _("after %s") % lived]
    if evidence.known and process.end_reason not in Process.SILENT_ENDS:
        facts.append(_("certain") if evidence.certain else _("likely, but not proven"))
    if evidence.noticed_by:
        facts.append(_("noticed by %s") % words.NOTICED_BY.get(evidence.noticed_by, evidence.noticed_by))
    return facts


def _tiles(evidence: Evidence) -> list[Line]:
    """Without those that are not known."""
    found = []
    if evidence.rss_mb is not None:
        peak = evidence.peak_mb
        hint = _("highest %s") % formats.megabytes(peak) if peak is not None else ""
        found.append(Line(label=_("RSS at the end"), value=formats.megabytes(evidence.rss_mb), hint=hint))
    if evidence.limit_percent is not None:
        hint = _("of %s") % formats.megabytes(evidence.limit_mb)
        found.append(Line(label=_("Limit used"), value=formats.percent(evidence.limit_percent), hint=hint))
    if evidence.container_mb is not None and evidence.container_limit_mb:
        used = formats.percent(evidence.container_mb / evidence.container_limit_mb * 100)
        hint = _("of %s, shared") % formats.megabytes(evidence.container_limit_mb)
        found.append(Line(label=_("Container limit used"), value=used, hint=hint))
    if evidence.job:
        limit = evidence.job.limit_s
        hint = _("limit %s") % formats.duration(limit) if limit else ""
        found.append(Line(label=_("Job ran for"), value=formats.took(evidence.job.seconds), hint=hint))
    return found


def _lines(evidence: Evidence) -> list[Line]:
    """What is known besides; a line that says nothing is left out, but for the job."""
    limit = str(LIMIT_SOURCES.get(evidence.limit_source, evidence.limit_source))
    found: list[tuple[str, str | SafeString]] = [
        (_("Job that was running"), _running(evidence)),
        (_("Trace of the job"), traces.trace_id(evidence.job.span) if evidence.job else ""),
        (_("Exit status"), words.status(evidence)),
        (_("OOM kills of the container"), _counter(evidence.oom.get("before"), evidence.oom.get("after"))),
        (_("OOM kills of the whole container"), _counter(*_group(evidence.oom))),
        (_("Memory limit"), f"{formats.megabytes(evidence.limit_mb)}, {limit}" if evidence.limit_mb and limit else ""),
        (_("Kernel's log"), format_html('<span class="mw-type">{}</span>', evidence.kernel_line)
         if evidence.kernel_line else ""),
    ]  # fmt: skip
    return [Line(label=label, value=value) for label, value in found if value]


def _running(evidence: Evidence) -> str | SafeString:
    jobs = evidence.jobs
    if not jobs:
        return words.no_job(evidence)
    return format_html_join(SafeString("<br>"), "{} {}", ((words.job_name(job), words.ran_for(job)) for job in jobs))


def _counter(before: int | None, after: int | None) -> str:
    if before is None or after is None:
        return ""
    return _("%(before)s before, %(after)s after") % {"before": formats.count(before), "after": formats.count(after)}


def _group(oom: Mapping[str, int | None]) -> tuple[int | None, int | None]:
    """Left out where no such kill was ever counted."""
    before, after = oom.get("group_before"), oom.get("group_after")
    return (before, after) if before or after else (None, None)


def _recent(evidence: Evidence) -> Table | None:
    if not evidence.recent:
        return None
    return Table(
        title=_("Jobs that ran just before"),
        names=[_("Job"), _("Time"), _("Ended before the end")],
        cells=[
            [words.job_name(job), figure(formats.took(job.seconds), job.seconds), figure(formats.took(before), before)]
            for job, before in evidence.recent
        ],
    )


def _growers(evidence: Evidence, leaks: Mapping[str, Leak]) -> Table | None:
    if not evidence.growers:
        return None
    return Table(
        title=_("What had grown most since the baseline"),
        names=[_("Type"), _("New objects")],
        cells=[[_type(name, leaks), figure(formats.signed_count(gained), gained)] for name, gained in evidence.growers],
    )


def _summary(evidence: Evidence, leaks: Mapping[str, Leak]) -> Table | None:
    if not evidence.summary:
        return None
    before = evidence.summary_before_s
    return Table(
        title=_("What the heap held near the limit"),
        names=[_("Type"), _("Objects"), _("Size")],
        cells=[
            [_type(name, leaks), figure(formats.count(count), count), figure(formats.megabytes(mb), mb)]
            for name, count, mb in evidence.summary
        ],
        note=_("Written %s before the end.") % formats.duration(before) if before is not None else "",
    )


def _type(name: str, leaks: Mapping[str, Leak]) -> Cell | str:
    shown, leak = formats.type_name(name), leaks.get(name)
    if leak is None:
        return shown
    badge = format_html('<span class="mw-badge mw-state-open">{}</span>', _("open leak"))
    return format_html("{} {}", shown, formats.link(formats.page_url("leak", leak.pk), badge))


def _not_known(process: Process, evidence: Evidence) -> Sequence[str | Promise]:
    """Sentences about what is missing and would help."""
    killed = process.end_reason in (End.SIGKILL, End.UNKNOWN, End.STALE)
    missing = (
        (not evidence.recorded, NO_RECORD),
        (evidence.status is None and not (evidence.known and evidence.certain), NO_STATUS),
        (killed and evidence.oom.get("after") is None, NO_COUNTER),
        (evidence.recorded and evidence.limit_mb is None, NO_LIMIT),
        (process.end_reason in (End.OOM_PROCESS, End.OOM_CONTAINER) and not evidence.summary, NO_SUMMARY),
    )
    return [sentence for is_missing, sentence in missing if is_missing]
