"""A slot across restarts: who held it one after the other, and their memory in one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from memwatch import queries
from memwatch.admin import charts, formats, time_ranges
from memwatch.admin.panels import Cell, Table, figure
from memwatch.admin.process_tables import process_state
from memwatch.models import Process
from memwatch.queries import Point
from memwatch.queries.processes import slots as queried

MOST_LIVES = 30
"""More than this are not drawn: the newest are."""


def url(process: Process) -> str:
    """The page of the process's slot."""
    return reverse("admin:memwatch_process_slot", args=(process.service_id, process.host, process.slot_number))


def neighbours(process: Process, now: datetime) -> list[dict[str, Any]]:
    """The processes before and after this one in its slot."""
    before, after = queried.neighbours(process)
    return [
        {
            "what": what,
            "url": formats.page_url("process", other.pk),
            "pid": other.pid,
            "started": formats.when(other.started_at, now),
            "state": process_state(other),
        }
        for what, other in ((_("Previous process"), before), (_("Next process"), after))
        if other is not None
    ]


def context(service: int, host: str, slot: int, query: Mapping[str, str], now: datetime) -> dict[str, Any] | None:
    """The context of the page; ``None`` if no process ever held the slot. The number of queries is constant."""
    found = queried.slot(service, host, slot)
    if found is None:
        return None
    oldest, newest = found.oldest, found.newest
    chosen = time_ranges.asked(
        query, now=now, first=oldest.started_at, last=None if newest.is_alive else newest.ended_at
    )
    lives = found.lives(chosen.since, chosen.until, MOST_LIVES + 1)
    more, lives = len(lives) > MOST_LIVES, lives[:MOST_LIVES][::-1]
    points = queries.charted(lives, since=chosen.since, until=chosen.until) if lives else {}
    happened = queries.events(lives, since=chosen.since, until=chosen.until)
    return {
        "title": newest.slot,
        "subtitle": _("slot on %s, across restarts") % host,
        "state": process_state(newest),
        "service": formats.link_to(newest.service),
        **charts.process_charts(
            [points[life.pk] for life in lives], chosen=chosen, events=happened, outside=newest.outside
        ),
        "lives": _table(lives, points, now, _("There are more: choose a shorter range to see them.") if more else ""),
    }


def _table(lives: list[Process], points: Mapping[int, Sequence[Point]], now: datetime, note: str) -> Table:
    leaks = queries.open_leaks(lives)
    return Table(
        title=_("Processes in this slot, newest first"),
        names=[
            _("Process"), _("State"), _("Release"), _("Started"), _("Ended"), _("Lifetime"), _("First RSS"),
            _("Highest RSS"), _("Growth per hour"), _("Open leaks"),
        ],
        cells=[_life(life, points[life.pk], leaks.get(life.pk, 0), now) for life in reversed(lives)],
        empty=_("No process held the slot in this time. Choose a longer range above."),
        note=note,
    )  # fmt: skip


def _life(process: Process, points: Sequence[Point], leaks: int, now: datetime) -> list[Cell | str]:
    rss = [point.figures["rss_mb"] for point in points if "rss_mb" in point.figures]
    lived = ((process.ended_at or now) - process.started_at).total_seconds()
    first, peak = rss[0][1] if rss else None, max((each[2] for each in rss), default=None)
    hours = (points[-1].at - points[0].at).total_seconds() / formats.HOUR if len(rss) > 1 else 0
    per_hour = (rss[-1][1] - rss[0][1]) / hours if hours > 0 else None
    return [
        formats.link_to(process, _("pid %d") % process.pid),
        process_state(process),
        process.release.name if process.release else "",
        formats.when(process.started_at, now),
        formats.when(process.ended_at, now) if process.ended_at else "",
        figure(formats.duration(lived), lived),
        figure(formats.megabytes(first), first),
        figure(formats.megabytes(peak), peak),
        figure(formats.signed_megabytes(per_hour), per_hour),
        figure(formats.count(leaks), leaks),
    ]
