"""The page *Work*: what the calls of each view, task and command took and kept in a range of time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats, time_ranges
from memwatch.admin.panels import Cell, figure
from memwatch.models import WorkName
from memwatch.queries import work
from memwatch.queries.row_ids import is_id
from memwatch.queries.work import Course, WorkRow
from memwatch.records import traces
from memwatch.records.work import NO_VIEW

SHOWN = 200
USUAL_RANGE = "24h"
SERVICE = "service__id__exact"
_KINDS: Mapping[str, str | Promise] = dict(WorkName.Kind.choices)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What the address asks for besides the time."""

    service: int | None = None
    kind: str = ""
    words: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """What cannot be read is left out."""
        service, kind = query.get(SERVICE, ""), query.get("kind", "")
        return cls(
            service=int(service) if is_id(service) else None,
            kind=kind if kind in _KINDS else "",
            words=query.get("q", "").strip()[:300],
        )

    @property
    def kept(self) -> dict[str, str]:
        """As the address says it."""
        values = {SERVICE: str(self.service) if self.service is not None else "", "kind": self.kind, "q": self.words}
        return {name: value for name, value in values.items() if value}


def url(service: int | None = None, name: str = "", **more: str) -> str:
    """The address of the page, for a service and a name."""
    found = Asked(service=service, words=name).kept | more
    return formats.changelist("workrollup", **found)


def context(query: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """What its template shows, for what the URL asks for. As many queries for many rows as for one."""
    asked, services = Asked.of(query), work.services_with_work()
    service = next((name for pk, name in services if pk == asked.service), "")
    first = work.first_start(asked.service) or now
    chosen = time_ranges.asked(query, now=now, first=first, usual=USUAL_RANGE, kept=asked.kept)
    rows = work.asked_for(asked.service, kind=asked.kind, words=asked.words)
    ranged = work.within(rows, chosen.since, chosen.until, now)
    found = work.ordered(ranged, "calls", reverse=True)
    shown = work.measured(ranged, found[:SHOWN])
    courses = work.courses(rows, shown, chosen.since, min(chosen.until, now), now)
    table = _Table(shown, courses, chosen, first, now, with_service=not service)
    more = len(found) - len(shown)
    return {
        "title": _("Work"),
        "subtitle": service or (_("all services") if services else ""),
        "service": service,
        "service_url": formats.page_url("service", asked.service) if service else "",
        "range": chosen,
        "ranges": chosen.links,
        "form": {
            "services": [{"value": str(pk), "text": name, "chosen": pk == asked.service} for pk, name in services],
            "service": SERVICE,
            "kinds": [{"value": key, "text": text, "chosen": key == asked.kind} for key, text in _KINDS.items()],
            "words": asked.words,
            "time": _time(chosen),
        },
        "narrowed": bool(asked.kind or asked.words),
        "all_url": url(asked.service, **_time(chosen)),
        "any": bool(services),
        "heads": table.heads,
        "rows": table.rows,
        "shared": any(row.shared for row in shown),
        "no_view": NO_VIEW if any(row.name == NO_VIEW for row in shown) else "",
        "more": ngettext("%s more name had fewer calls.", "%s more names had fewer calls.", more) % formats.count(more)
        if more > 0
        else "",
    }


def _time(chosen: time_ranges.TimeRange) -> dict[str, str]:
    """The range as parameters; none for the usual one."""
    if chosen.key:
        return {} if chosen.key == USUAL_RANGE else {"range": chosen.key}
    return {"from": chosen.since.isoformat(), "to": chosen.until.isoformat()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Head:
    """The heading of a column."""

    text: str | Promise
    is_number: bool = True
    hint: str | Promise = ""
    sorts: bool = True


_PEAK = gettext_lazy("Rise of resident memory above its level at the start of the call")
_KEPT = gettext_lazy("Memory allocated in a call and not freed by its end: the mean of the measured calls")


class _Table:
    """The rows of the page, as cells."""

    def __init__(
        self,
        rows: Sequence[WorkRow],
        courses: Mapping[work.Key, Course],
        chosen: time_ranges.TimeRange,
        first: datetime,
        now: datetime,
        *,
        with_service: bool,
    ) -> None:
        self.courses = courses
        self.with_service = with_service
        self.by_kept = any(row.kept_blocks_per_call is not None for row in rows)
        begin = max(work.start_of_hour(chosen.since), first)
        self.hours = max((min(chosen.until, now) - begin).total_seconds() / formats.HOUR, 1 / 60)
        self.rows = [self._row(row) for row in rows]

    @property
    def heads(self) -> list[Head]:
        over_time = _("Blocks kept over time") if self.by_kept else _("Calls over time")
        return [
            Head(text=_("Name"), is_number=False),
            *([Head(text=_("Service"), is_number=False)] if self.with_service else []),
            Head(text=_("Kind"), is_number=False),
            Head(text=_("Calls per hour")),
            Head(text=_("Errors"), hint=_("Calls that ended with an exception")),
            Head(text=_("Blocks kept per call"), hint=_KEPT),
            Head(text=_("KB kept per call"), hint=_("Growth of resident memory: the mean of the measured calls")),
            Head(text=_("Median peak"), hint=_PEAK),
            Head(text=_("95 % peak"), hint=_PEAK),
            Head(text=_("Highest peak"), hint=_PEAK),
            Head(text=_("95 % time"), hint=_("19 of 20 calls took less")),
            Head(text=over_time, is_number=False, sorts=False),
        ]

    def _row(self, row: WorkRow) -> list[Cell]:
        blocks, kib, rate = row.kept_blocks_per_call, row.kept_kib_per_call, row.calls / self.hours
        service = Cell(text=formats.link(formats.page_url("service", row.service_id), row.service))
        return [
            Cell(text=formats.link(formats.page_url("workname", row.work_id), row.name)),
            *([service] if self.with_service else []),
            Cell(text=str(_KINDS.get(row.kind, row.kind))),
            figure(_calls(row, rate), rate),
            figure(formats.count(row.errors), row.errors),
            figure(formats.precise(blocks), blocks),
            figure(formats.precise(kib), kib),
            figure(formats.megabytes(row.peak_mb_p50), row.peak_mb_p50),
            figure(formats.megabytes(row.peak_mb_p95), row.peak_mb_p95),
            figure(_highest(row), row.peak_mb_max),
            figure(formats.took(row.seconds_p95), row.seconds_p95),
            Cell(text=self._spark(self.courses[row.key])),
        ]

    def _spark(self, course: Course) -> SafeString:
        values = [value or 0.0 for value in course.kept_blocks] if self.by_kept else [float(n) for n in course.calls]
        if self.by_kept and all(value is None for value in course.kept_blocks):
            return SafeString("")
        words = {
            "first": formats.count(values[0]),
            "last": formats.count(values[-1]),
            "most": formats.count(max(values)),
        }
        hourly = course.step == work.HOUR
        if self.by_kept:
            text = _("Blocks kept in an hour") if hourly else _("Blocks kept in a day")
        else:
            text = _("Calls in an hour") if hourly else _("Calls in a day")
        return formats.sparkline(values, f"{text}: {_('from %(first)s to %(last)s, at most %(most)s') % words}")


def _calls(row: WorkRow, rate: float) -> SafeString:
    """An hour; on hover all of them, and below it the share that ran beside others."""
    title = ngettext("%s call in this time", "%s calls in this time", row.calls) % formats.count(row.calls)
    shown = format_html('<span title="{}">{}</span>', title, formats.precise(rate))
    if not row.shared or not row.calls:
        return shown
    return format_html(
        '{}<span class="mw-held">{}</span>', shown, _("%s shared") % formats.percent(100 * row.shared / row.calls)
    )


def _highest(row: WorkRow) -> str | SafeString:
    """A link to the process where it was, with the trace of the call."""
    text = formats.megabytes(row.peak_mb_max)
    if row.peak_process_id is None or row.peak_mb_max is None:
        return text
    title = _("The process in which it was measured")
    address = formats.page_url("process", row.peak_process_id)
    link = format_html('<a href="{}" title="{}">{}</a>', address, title, text)
    if not row.peak_trace:
        return link
    return format_html('{}<span class="mw-held" title="{}">{}</span>', link, row.peak_trace, trace_text(row.peak_trace))


def trace_text(span: str) -> str:
    """The trace of a span, to be looked for in another tool."""
    return _("trace %s") % traces.trace_id(span)
