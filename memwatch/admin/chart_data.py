"""Charts as values: what ``static/memwatch/charts.js`` draws, and the table under them that says the same.

A page makes :class:`Chart` objects and puts :func:`page_of_charts` into its context as ``charts``; the template
``admin/memwatch/_charts.html`` shows them.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.utils import timezone
from django.utils.translation import get_language

from memwatch.admin import formats

TABLE_ROWS = 24
GAP_STEPS = 4
"""A pause of more than so many usual steps is drawn as a gap."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Series:
    """One line, with a band around it where ``low`` and ``high`` are given. ``None`` interrupts it."""

    label: str
    times: Sequence[datetime] = ()
    positions: Sequence[float] = ()
    """Instead of times in a chart with an :class:`Axis` of its own."""
    values: Sequence[float | None] = ()
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    tone: str = "1"
    """``1`` to ``6`` for the colours of series; or ``quiet``, ``good``, ``low``, ``medium``, ``high``, ``critical``."""
    style: str = "line"
    """``line``, ``thin``, ``dashed``, ``points``, or ``area``: the band alone."""
    tabled: bool = True
    """A column of the table under the charts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Level:
    """A horizontal line."""

    label: str
    value: float
    tone: str = "quiet"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Marker:
    """A vertical line in every chart of the page, and an entry of the list under them."""

    at: datetime
    kind: str
    """``start``, ``end``, ``release``, ``baseline``, ``leak``, ``recording`` or ``now``."""
    label: str
    url: str = ""

    @property
    def exact(self) -> str:
        """The time as text."""
        return formats.exact(self.at)


AGE, WORK, BEFORE = "age", "work", "before"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
    """What a chart goes along that does not go along the time."""

    kind: str
    """:data:`AGE`: seconds; :data:`WORK`: a count; :data:`BEFORE`: seconds until the end, below 0."""
    label: str

    def text(self, position: float) -> str:
        """A place on it."""
        if self.kind == BEFORE:
            return formats.took(-position)
        return formats.duration(position) if self.kind == AGE else formats.count(position)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart with its title."""

    id: str
    title: str
    unit: str = ""
    """Appended to each value: ``" MB"``; empty for counts."""
    series: Sequence[Series] = ()
    levels: Sequence[Level] = ()
    note: str = ""
    """A sentence under the chart."""
    axis: Axis | None = None
    """``None``: the time, as in the other charts of the page."""
    apart: bool = False
    """Shown in a section of its own, not among the others."""


def with_gaps(series: Series) -> Series:
    """The series without the points that were not measured, interrupted where none at all was taken for long.

    Pass the times of every snapshot: a figure that only every so many have is a line too.
    """
    steps = sorted((after - before).total_seconds() for before, after in itertools.pairwise(series.times))
    longest = GAP_STEPS * steps[len(steps) // 2] if steps else math.inf
    picked: list[int | None] = []
    moments: list[datetime] = []
    gap: datetime | None = None
    for at, moment in enumerate(series.times):
        if at and (moment - series.times[at - 1]).total_seconds() > longest:
            gap = series.times[at - 1] + (moment - series.times[at - 1]) / 2
        if not _known(series, at):
            continue
        if gap is not None and picked:
            picked.append(None)
            moments.append(gap)
        gap = None
        picked.append(at)
        moments.append(moment)

    def take(values: Sequence[float | None]) -> list[float | None]:
        return [None if at is None else values[at] for at in picked] if values else []

    return dataclasses.replace(
        series, times=moments, values=take(series.values), low=take(series.low), high=take(series.high)
    )


def page_of_charts(
    charts: Iterable[Chart],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    markers: Sequence[Marker] = (),
    zoom: str = "?from={from}&to={to}",
    note: str = "",
) -> dict[str, Any]:
    """The context of ``_charts.html``. Charts and series without a single figure are left out."""
    shown = [
        dataclasses.replace(chart, series=series)
        for chart in charts
        if (series := [each for each in chart.series if any(_known(each, at) for at in range(_length(each)))])
    ]
    together = [chart for chart in shown if not chart.apart]
    return {
        "available": apps.is_installed("chartkick.django"),
        "points": max((_length(each) for chart in together for each in chart.series), default=0),
        "charts": together,
        "apart": [(chart, _other_table(chart, chart.axis)) for chart in shown if chart.apart and chart.axis],
        "note": note,
        "markers": sorted(markers, key=lambda each: each.at),
        "data": {
            "timezone": timezone.get_current_timezone_name(),
            "locale": get_language() or "en",
            "from": _ms(since) if since else None,
            "to": _ms(until) if until else None,
            "zoom": zoom,
            "markers": [{"at": _ms(each.at), "kind": each.kind, "label": each.label} for each in markers],
            "charts": [
                {
                    "id": chart.id,
                    "unit": chart.unit,
                    "axis": dataclasses.asdict(chart.axis) if chart.axis else None,
                    "lines": [dataclasses.asdict(level) for level in chart.levels],
                    "series": [_series(each) for each in chart.series],
                }
                for chart in shown
            ],
        },
        "table": table([chart for chart in shown if chart.axis is None]),
        "others": [_other_table(chart, chart.axis) for chart in together if chart.axis is not None],
    }


def table(charts: Sequence[Chart]) -> dict[str, Any]:
    """The charts as text: about two dozen times, newest first, each with the last known value of each series."""
    columns = [(each, chart.unit) for chart in charts for each in chart.series if each.tabled and each.values]
    moments = sorted(
        {
            time
            for each, _unit in columns
            for time, value in zip(each.times, each.values, strict=True)
            if value is not None
        }
    )
    if len(moments) > TABLE_ROWS:
        step = (len(moments) - 1) / (TABLE_ROWS - 1)
        moments = [moments[round(place * step)] for place in range(TABLE_ROWS)]
    return {
        "heads": [each.label for each, _unit in columns],
        "rows": [
            {
                "at": formats.exact(moment),
                "cells": [cell(_nearest(each, moment, moments), unit) for each, unit in columns],
            }
            for moment in reversed(moments)
        ],
    }


def _other_table(chart: Chart, axis: Axis) -> dict[str, Any]:
    """A chart along an axis of its own as text: its first tabled series."""
    series = next((each for each in chart.series if each.tabled), chart.series[0])
    places = zip(series.positions, series.values, strict=True)
    return {
        "title": chart.title,
        "heads": [axis.label, series.label],
        "rows": [(axis.text(x), cell(value, chart.unit)) for x, value in places if value is not None],
    }


def cell(value: float | None, unit: str) -> str:
    """A value of a chart as text."""
    if unit == " MB":
        return formats.megabytes(value)
    if unit:
        return formats.NOT_MEASURED if value is None else f"{formats.decimal(value)}{unit}"
    return formats.count(None if value is None else round(value))


def _nearest(series: Series, moment: datetime, moments: Sequence[datetime]) -> float | None:
    """The value at that time, or the last one known since the table's row before."""
    place = bisect.bisect_right(series.times, moment) - 1
    row = bisect.bisect_left(moments, moment)
    floor = moments[row - 1] if row else datetime.min.replace(tzinfo=UTC)
    while place >= 0 and series.times[place] > floor:
        if series.values[place] is not None:
            return series.values[place]
        place -= 1
    return None


def _length(series: Series) -> int:
    return len(series.positions) or len(series.times)


def _known(series: Series, at: int) -> bool:
    value = series.values[at] if series.values else series.low[at]
    return value is not None


def _series(series: Series) -> dict[str, Any]:
    return {
        "label": series.label,
        "times": list(series.positions) or [_ms(time) for time in series.times],
        "values": [_short(value) for value in series.values],
        "low": [_short(value) for value in series.low],
        "high": [_short(value) for value in series.high],
        "tone": series.tone,
        "style": series.style,
    }


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
