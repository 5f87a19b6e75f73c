"""Processes in the tables of other pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.panels import Cell, Table, figure
from memwatch.models import Process
from memwatch.queries import ProcessFigures
from memwatch.records import MemorySnapshot

STATE_WORDS = {
    "alive": gettext_lazy("alive"),
    "stale": gettext_lazy("stale"),
    "ended": gettext_lazy("ended"),
}


def slot_name(process: Process) -> SafeString:
    """Its name; below it host, pid and release."""
    facts = [process.host, _("pid %d") % process.pid]
    if process.release:
        facts.append(process.release.name)
    return format_html('{}<span class="mw-second">{}</span>', process.slot, " · ".join(facts))


def process_state(process: Process) -> SafeString:
    """Alive, stale or ended, as a badge."""
    return formats.state_badge(process.state, STATE_WORDS[process.state])


def counted_objects(item: ProcessFigures) -> SafeString:
    """Its objects; of the latest census, with its age, where the last snapshot took none."""
    if item.process.outside:
        return formats.number(formats.NOT_MEASURED, title=_("It runs no agent: its objects cannot be counted."))
    if item.census is None or item.census.total_objects is None:
        return formats.number(formats.NOT_MEASURED, title=_("Not counted yet: counting keeps to CPU_BUDGET_PERCENT."))
    count = formats.count(item.census.total_objects)
    if item.figures is not None and item.figures.total_objects is not None:
        return formats.number(count)
    title = _("Counted %s: the last snapshot took no census.") % formats.age(item.census.timestamp)
    return formats.number(_("%s*") % count, title=title)


def process_table(items: Sequence[ProcessFigures], now: datetime) -> Table:
    """The living processes of a service."""
    return Table(
        title=_("Processes alive"),
        names=[
            _("Process"), _("State"), _("Host"), _("RSS"), _("Heap used"), _("Limit used"), _("Objects"),
            _("Heap drift"), _("Open leaks"), _("Last seen"),
        ],
        cells=[_cells(item, now) for item in items],
        empty=_("No process is alive."),
    )  # fmt: skip


def _cells(item: ProcessFigures, now: datetime) -> list[Cell | str]:
    process, figures = item.process, item.figures or MemorySnapshot(timestamp=now)
    objects = item.census.total_objects if item.census else None
    return [
        formats.link_to(process, process.slot),
        process_state(process),
        process.host,
        figure(formats.megabytes(figures.rss_mb), figures.rss_mb),
        figure(formats.megabytes(figures.heap_used_mb), figures.heap_used_mb),
        figure(formats.percent(figures.heap_percent), figures.heap_percent),
        figure(counted_objects(item), objects),
        figure(formats.signed_percent(item.drift_percent), item.drift_percent),
        figure(formats.count(item.open_leaks), item.open_leaks),
        formats.when(process.last_seen_at, now),
    ]
