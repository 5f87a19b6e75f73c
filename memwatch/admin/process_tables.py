"""Processes in the tables of other pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.models import Process
from memwatch.queries import ProcessFigures
from memwatch.records import MemorySnapshot

STATE_WORDS = {
    "alive": gettext_lazy("alive"),
    "stale": gettext_lazy("stale"),
    "ended": gettext_lazy("ended"),
}


def process_state(process: Process) -> SafeString:
    """Alive, stale or ended, as a badge."""
    return formats.state_badge(process.state, STATE_WORDS[process.state])


def counted_objects(item: ProcessFigures) -> SafeString:
    """Its objects; of the latest census, with its age, where the last snapshot took none."""
    if item.process.outside:
        return formats.number(formats.NOT_MEASURED, title=_("Seen from outside: its objects cannot be counted."))
    if item.census is None or item.census.total_objects is None:
        return formats.number(formats.NOT_MEASURED, title=_("No census yet: it waits for its share of CPU."))
    count = formats.count(item.census.total_objects)
    if item.figures is not None and item.figures.total_objects is not None:
        return formats.number(count)
    title = _("Counted %s: the last snapshot took no census.") % formats.age(item.census.timestamp)
    return formats.number(_("%s*") % count, title=title)


def process_row(item: ProcessFigures, now: datetime) -> dict[str, Any]:
    """A process in a table on another page."""
    process, figures = item.process, item.figures or MemorySnapshot(timestamp=now)
    return {
        "url": formats.page_url("process", process.pk),
        "slot": process.slot,
        "host": process.host,
        "state": process_state(process),
        "rss": formats.megabytes(figures.rss_mb),
        "heap": formats.megabytes(figures.heap_used_mb),
        "share": formats.percent(figures.heap_percent),
        "objects": counted_objects(item),
        "drift": formats.signed_percent(item.drift_percent),
        "leaks": formats.count(item.open_leaks),
        "seen": formats.when(process.last_seen_at, now),
    }
