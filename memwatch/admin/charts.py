"""The charts of processes: memory, objects, types, collections, with what happened as markers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.urls import NoReverseMatch
from django.utils.translation import gettext as _

from memwatch import queries
from memwatch.admin import chart_data, formats
from memwatch.admin.chart_data import Chart, Level, Marker, Series, with_gaps
from memwatch.admin.time_ranges import TimeRange
from memwatch.conf import get_settings
from memwatch.models import Baseline, Leak, Process, Recording
from memwatch.queries import Event, Point

SHOWN_TYPES = 6
NEAR_LIMIT = 3.0
"""A limit above this multiple of the highest value is written as text: drawn, it would flatten every line."""
RATES = 120
LEAST_STRETCH = timedelta(seconds=30)
"""Collections are counted over stretches: from one snapshot to the next a rate is noise."""
RESTART_PAUSE = timedelta(milliseconds=1)

Read = Callable[[Point], tuple[float, float, float] | None]


def process_charts(
    lives: Sequence[Sequence[Point]],
    *,
    types: Sequence[str] = (),
    baseline: Baseline | None = None,
    chosen: TimeRange,
    events: Iterable[Event] = (),
    outside: bool = False,
    apart: Sequence[Chart] = (),
) -> dict[str, Any]:
    """The charts of one process, or of all that held a slot one after the other: ``lives``, oldest first.

    With the range that they show, as ``_charts.html`` wants it; ``apart``: charts of another section of the page.
    """
    charts = [*apart, _memory(lives, baseline, chosen)]
    if not outside:
        charts += [_objects(lives), _types(lives, types), _collections(lives)]
    page = chart_data.page_of_charts(
        charts, since=chosen.since, until=chosen.until, markers=markers(events), note=_source_note(lives)
    )
    return {"charts": page, "range": chosen, "ranges": chosen.links}


def series(
    label: str, lives: Sequence[Sequence[Point]], read: Read, *, tone: str, style: str = "line", banded: bool = True
) -> Series:
    """A figure as a line, with a band where a point stands for many snapshots; interrupted between two lives."""
    times: list[datetime] = []
    columns: tuple[list[float | None], ...] = ([], [], [])
    for points in lives:
        found = [read(point) for point in points]
        own = with_gaps(
            Series(
                label=label,
                times=[point.at for point in points],
                low=[each and each[0] for each in found],
                values=[each and each[1] for each in found],
                high=[each and each[2] for each in found],
            )
        )
        if times and own.times:
            times.append(times[-1] + RESTART_PAUSE)
            for column in columns:
                column.append(None)
        times.extend(own.times)
        for column, values in zip(columns, (own.low, own.values, own.high), strict=True):
            column.extend(values)
    low, values, high = columns
    banded = banded and low != high
    return Series(
        label=label, times=times, values=values, tone=tone, style=style,
        low=low if banded else (), high=high if banded else (),
    )  # fmt: skip


def figure(name: str) -> Read:
    """Reads a figure of a point."""
    return lambda point: point.figures.get(name)


def counted(type_name: str) -> Read:
    """Reads the count of a type."""

    def read(point: Point) -> tuple[float, float, float] | None:
        count = point.counts.get(type_name)
        return None if count is None else (count, count, count)

    return read


def _memory(lives: Sequence[Sequence[Point]], baseline: Baseline | None, chosen: TimeRange) -> Chart:
    lines = [
        series(_("RSS"), lives, figure("rss_mb"), tone="1"),
        series(_("USS"), lives, figure("uss_mb"), tone="5", style="dashed", banded=False),
        series(_("Heap used"), lives, figure("heap_used_mb"), tone="2"),
        series(_("Heap committed"), lives, figure("heap_committed_mb"), tone="3", banded=False),
    ]
    highest = max((value for line in lines for value in line.high or line.values if value is not None), default=0.0)
    levels, note = limit_level(_last(lives, "heap_size_mb"), highest)
    return Chart(
        id="mw-chart-memory",
        title=_("Memory"),
        unit=" MB",
        series=[*_baseline_band(baseline, chosen), *lines],
        levels=levels,
        note=note,
    )


def limit_level(limit: float | None, highest: float) -> tuple[list[Level], str]:
    """The line of a limit in MB, or a note where it is too far above the highest value to be drawn."""
    if limit is None:
        return [], ""
    if limit <= NEAR_LIMIT * highest:
        return [Level(label=_("limit %s") % formats.megabytes(limit), value=limit, tone="critical")], ""
    return [], _("The limit of %s is far above these values and is not drawn.") % formats.megabytes(limit)


def _last(lives: Sequence[Sequence[Point]], name: str) -> float | None:
    points = (point for points in reversed(lives) for point in reversed(points))
    return next((point.figures[name][1] for point in points if name in point.figures), None)


def _baseline_band(baseline: Baseline | None, chosen: TimeRange) -> list[Series]:
    """From the heap at the baseline to where a drift alert would be raised."""
    if baseline is None or baseline.heap_used_kib is None:
        return []
    settings, low = get_settings(), baseline.heap_used_kib / 1024
    high = low + max(settings.drift_min_mb, low * settings.drift_warning_percent / 100)
    begin = max(chosen.since, baseline.timestamp)
    if begin >= chosen.until:
        return []
    return [
        Series(
            label=_("Heap: baseline to drift alert"),
            times=[begin, chosen.until],
            low=[low, low],
            high=[high, high],
            tone="good",
            style="area",
            tabled=False,
        )
    ]


def _objects(lives: Sequence[Sequence[Point]]) -> Chart:
    return Chart(
        id="mw-chart-objects",
        title=_("Objects"),
        series=[
            series(_("Objects tracked by gc"), lives, figure("total_objects"), tone="1"),
            series(_("Allocated blocks"), lives, figure("allocated_blocks"), tone="4"),
        ],
    )


def _types(lives: Sequence[Sequence[Point]], types: Sequence[str]) -> Chart:
    return Chart(
        id="mw-chart-types",
        title=_("Types that leak or grow most"),
        series=[
            series(name, lives, counted(name), tone=str(place + 1)) for place, name in enumerate(types[:SHOWN_TYPES])
        ],
    )


def _collections(lives: Sequence[Sequence[Point]]) -> Chart:
    names = (
        ("gc_collections_gen0", _("Generation 0"), "4"),
        ("gc_collections_gen1", _("Generation 1"), "1"),
        ("gc_collections_gen2", _("Generation 2"), "2"),
    )
    return Chart(
        id="mw-chart-gc",
        title=_("Garbage collections per minute"),
        unit=_(" /min"),
        series=[
            series(label, [_rates(points, name) for points in lives], figure(name), tone=tone)
            for name, label, tone in names
        ],
    )


def _rates(points: Sequence[Point], name: str) -> list[Point]:
    """A running total as its increase a minute."""
    known = [point for point in points if name in point.figures]
    if len(known) < 2:
        return []
    stretch = max(LEAST_STRETCH, (known[-1].at - known[0].at) / RATES)
    rates, before = [], known[0]
    for after in known[1:]:
        if after.at - before.at < stretch:
            continue
        minutes = (after.at - before.at).total_seconds() / 60
        rate = max(0.0, after.figures[name][2] - before.figures[name][2]) / minutes if minutes else 0.0
        rates.append(Point(after.at, {name: (rate, rate, rate)}, {}))
        before = after
    return rates


def _source_note(lives: Sequence[Sequence[Point]]) -> str:
    sources = {point.source for points in lives for point in points}
    if queries.DAILY in sources:
        text = _("Older figures come from hourly and daily roll-ups.")
    elif queries.HOURLY in sources:
        text = _("Older figures come from hourly roll-ups.")
    elif any(low != high for points in lives for point in points for low, _mean, high in point.figures.values()):
        text = _("Each point stands for several snapshots.")
    else:
        return ""
    return _("%s The line is the mean, the band goes from minimum to maximum.") % text


def markers(events: Iterable[Event]) -> list[Marker]:
    """What happened, as markers with words and a link."""
    return [Marker(at=event.at, kind=event.kind, label=_label(event), url=_url(event)) for event in events]


def _label(event: Event) -> str:
    row = event.row
    if isinstance(row, Process):
        words = {"slot": row.slot, "pid": row.pid, "how": row.get_end_reason_display()}
        return (_("%(slot)s started, pid %(pid)d") if event.kind == "start" else _("pid %(pid)d %(how)s")) % words
    if isinstance(row, Leak):
        return _("leak of %s detected") % row.what
    if isinstance(row, Baseline):
        whose = _("baseline of the process reset") if row.process_id else _("baseline of the service reset")
        return f"{whose}: {row.reason}" if row.reason else whose
    if isinstance(row, Recording):
        return _("recording: %s") % row.get_kind_display()
    return _("release %s first seen") % row.name


def _url(event: Event) -> str:
    try:
        return formats.page_url(event.row._meta.model_name or "", event.row.pk)
    except NoReverseMatch:
        return ""
