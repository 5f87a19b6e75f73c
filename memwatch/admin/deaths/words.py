"""Deaths in words: reasons as badges, jobs, memory against its limit, who noticed."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.deaths.evidence import Evidence, Job
from memwatch.models import Process, WorkName

End = Process.End
REASONS: Mapping[str, tuple[str | Promise, str]] = {
    End.OOM_CONTAINER: (gettext_lazy("container killed"), "critical"),
    End.OOM_PROCESS: (gettext_lazy("out of memory"), "high"),
    End.SIGKILL: (gettext_lazy("killed"), "high"),
    End.CRASH: (gettext_lazy("crash"), "high"),
    End.TIME_LIMIT: (gettext_lazy("time limit"), "high"),
    End.HOST_GONE: (gettext_lazy("host gone"), "medium"),
    End.UNKNOWN: (gettext_lazy("unknown"), "medium"),
    End.STALE: (gettext_lazy("no more reports"), "medium"),
    End.RECYCLED: (gettext_lazy("recycled"), "low"),
    End.RECYCLED_BY_MEMWATCH: (gettext_lazy("recycled by memwatch"), "low"),
    End.STOPPED: (gettext_lazy("stopped"), "low"),
    End.GOODBYE: (gettext_lazy("ended normally"), "low"),
    End.REPLACED: (gettext_lazy("replaced"), "low"),
}
"""Each reason in a word or two, and its severity."""
NOTICED_BY: Mapping[str, str | Promise] = {
    "process": gettext_lazy("another process of its host"),
    "hub": gettext_lazy("the server, when its reports stopped"),
    "successor": gettext_lazy("the process that took its place"),
}
STATUS_FROM: Mapping[str, str | Promise] = {
    "pidfd": gettext_lazy("reported by the kernel"),
    "hook": gettext_lazy("reported by its parent process"),
}
_KINDS: Mapping[str, str | Promise] = dict(WorkName.Kind.choices)


def severity(reason: str) -> str:
    return REASONS[reason][1] if reason in REASONS else "low"


def reason(process: Process) -> SafeString:
    """The badge of how it ended; on hover in whole words."""
    word, tone = REASONS.get(process.end_reason, (process.end_reason, "low"))
    found = formats.badge("severity", tone, word, formats.SEVERITY_SHAPES[tone])
    return format_html('<span title="{}">{}</span>', process.get_end_reason_display(), found)


def job_name(job: Job) -> SafeString:
    """The name; on hover the kind."""
    return format_html('<span class="mw-type" title="{}">{}</span>', _KINDS.get(job.kind, job.kind), job.name)


def ran_for(job: Job) -> str:
    """``for 41.0 s, limit 5 min``."""
    if job.seconds is None:
        return ""
    words = {"time": formats.took(job.seconds), "limit": formats.duration(job.limit_s)}
    return (_("for %(time)s, limit %(limit)s") if job.limit_s else _("for %(time)s")) % words


def job(evidence: Evidence) -> SafeString:
    """What was running, and for how long; says whether none was running or whether that is not known."""
    if evidence.job:
        more = len(evidence.jobs) - 1
        beside = _("and %s more") % formats.count(more) if more > 0 else ""
        return _two(job_name(evidence.job), " ".join(filter(None, (ran_for(evidence.job), beside))))
    return format_html('<span class="mw-quiet">{}</span>', no_job(evidence))


def no_job(evidence: Evidence) -> str:
    return _("none was running") if evidence.recorded else _("not known")


def memory(evidence: Evidence) -> SafeString:
    """RSS at the end, below it the limit."""
    limit = _("of %s") % formats.megabytes(evidence.limit_mb) if evidence.limit_mb is not None else ""
    if evidence.limit_percent is not None:
        limit = f"{formats.percent(evidence.limit_percent)} {limit}"
    return format_html('<span class="mw-number">{}</span>', _two(formats.megabytes(evidence.rss_mb), limit))


def _two(first: str, second: str) -> SafeString:
    """In one element: themes lay out the parts of a cell side by side on narrow screens."""
    below = format_html('<span class="mw-held">{}</span>', second) if second else ""
    return format_html("<span>{}{}</span>", first, below)


def earlier(sentence: str) -> SafeString:
    """In how many deaths the job was running."""
    return format_html("<span>{}</span>", formats.with_names(sentence)) if sentence else SafeString("")


def status(evidence: Evidence) -> str:
    """The exit status and who reported it."""
    if evidence.status is None:
        return ""
    source = STATUS_FROM.get(evidence.status_from, "")
    text = evidence.signal if evidence.status < 0 and evidence.signal else _("exit code %d") % evidence.status
    return _("%(status)s, %(source)s") % {"status": text, "source": source} if source else text
