"""Deaths as a table: the processes that were killed, crashed or vanished within the last week, the last one first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime

from memwatch import formatting
from memwatch.models import Process
from memwatch.queries.processes import deaths

SINCE = deaths.WEEK
MOST = 200
"""Lines of a table; the heading counts them all."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DeathLine:
    """One end. What is not known is ``None`` or empty."""

    at: datetime
    process: str
    service: str
    reason: str
    """In words."""
    job: str | None
    job_seconds: float | None
    job_trace_id: str
    rss_mb: float | None
    limit_mb: float | None
    sentence: str
    earlier: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Deaths:
    """The last ends, and how many there were."""

    lines: tuple[DeathLine, ...] = ()
    total: int = 0


HEADS = ("ENDED", "PROCESS", "REASON", "JOB", "FOR", "RSS", "LIMIT")
NUMBERS = frozenset({"FOR", "RSS", "LIMIT"})


def rows(now: datetime, service: str = "", most: int = MOST) -> Deaths:
    """The last ``most`` of the week, of one service or of all. Three queries."""
    ended = deaths.unwanted(deaths.ended()).filter(ended_at__gt=now - SINCE)
    if service:
        ended = ended.filter(service__name=service)
    total = ended.order_by().count()
    lines = [_line(death) for death in deaths.deaths_of(ended[:most], now)]
    return Deaths(lines=tuple(lines), total=total)


def _line(death: deaths.Death) -> DeathLine:
    process = death.process
    return DeathLine(
        at=process.ended_at or process.last_seen_at,
        process=str(process),
        service=death.service,
        reason=str(Process.End(process.end_reason).label),
        job=death.job,
        job_seconds=death.job_seconds,
        job_trace_id=death.job_trace_id,
        rss_mb=death.rss_mb,
        limit_mb=death.limit_mb,
        sentence=str(death.evidence.get("sentence") or ""),
        earlier=death.earlier,
    )


def arranged(found: Iterable[DeathLine], *, service: str = "", text: str = "") -> list[DeathLine]:
    """Those of the service with the text in process, reason or job."""
    return [
        line
        for line in found
        if (not service or line.service == service)
        and text.lower() in f"{line.process} {line.reason} {line.job or ''}".lower()
    ]


def cells(line: DeathLine, now: datetime) -> tuple[str, ...]:
    """As people read them, in the order of ``HEADS``."""
    return (
        formatting.age(line.at, now),
        line.process,
        line.reason,
        line.job or formatting.NOT_MEASURED,
        formatting.took(line.job_seconds),
        formatting.megabytes(line.rss_mb),
        formatting.megabytes(line.limit_mb),
    )


def heading(found: Deaths, shown: Sequence[DeathLine], now: datetime, zone: str) -> str:
    """One line above the table."""
    deaths_said = "1 death" if found.total == 1 else f"{formatting.count(found.total)} deaths"
    part = "" if len(shown) == found.total else f", {len(shown)} shown"
    return f"memwatch  {now:%H:%M:%S} {zone}  {deaths_said} in the last week{part}"
