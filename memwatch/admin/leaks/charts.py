"""The charts of a leak: what grows, its floor and the fitted trend, and the memory behind it until it runs out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from memwatch.admin import charts, formats
from memwatch.admin.chart_data import Chart, Level, Series, with_gaps
from memwatch.admin.leaks import evidence
from memwatch.detection.case import floors
from memwatch.detection.statistics.estimators import theil_sen
from memwatch.models import Leak
from memwatch.queries import Point
from memwatch.records import MemorySnapshot

FEWEST_POINTS = 4
LEAST_AHEAD = timedelta(minutes=5)
MOST_LIVES = 6
"""Series in the charts of a leak of a whole service: one for each slot."""

Dot = tuple[datetime, float]
Lives = Sequence[Sequence[Point]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trend:
    """A line through the floors and its bounds, that all go out from one point."""

    start: datetime
    level: float
    end: datetime
    """Where the fitted points end."""
    slope: float
    """An hour."""
    low: float
    high: float
    floors: Sequence[Dot]

    def at(self, moment: datetime, slope: float) -> float:
        """The line of this slope at that time."""
        return self.level + slope * (moment - self.start).total_seconds() / formats.HOUR


@dataclasses.dataclass(frozen=True, kw_only=True)
class Projection:
    """Where memory goes at this rate."""

    limit_mb: float
    end: datetime
    """When the limit is reached."""


def charts_of(
    leak: Leak, points: Sequence[Point], entries: Sequence[MemorySnapshot] = (), projection: Projection | None = None
) -> list[Chart]:
    """What grows first, the memory of the process second. ``entries``: snapshots with the container that holds it."""
    return [*_growth(leak, points, entries), _memory(leak, points, projection)]


def charts_of_lives(leak: Leak, slots: Mapping[str, Lives]) -> list[Chart]:
    """The charts of a leak of many short lives: a line for each slot, interrupted by restarts."""
    chosen = list(slots.items())[:MOST_LIVES]
    reads = [("mw-chart-memory", _("Memory of the processes, one after the other"), " MB", charts.figure("rss_mb"))]
    if leak.kind == Leak.Kind.OBJECTS:
        reads.insert(0, ("mw-chart-type", _("Objects of this type"), "", charts.counted(leak.object_type)))
    return [
        Chart(
            id=key,
            title=title,
            unit=unit,
            series=[
                charts.series(slot, lives, read, tone=str(place + 1)) for place, (slot, lives) in enumerate(chosen)
            ],
        )
        for key, title, unit, read in reads
    ]


def judged_trend(leak: Leak) -> Trend | None:
    """The trend as the verdict kept it; ``None`` where it kept none, or one that is not over time."""
    kept = leak.evidence.get("trend") if isinstance(leak.evidence, dict) else None
    if not isinstance(kept, Mapping) or kept.get("axis") != "time":
        return None
    try:
        start, level = kept["start"]
        slope, low, high = (float(kept[name]) for name in ("slope", "low", "high"))
        dots = [(datetime.fromtimestamp(x, UTC), float(y)) for x, y in kept.get("floors") or ()]
        begin, end = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(kept["end"], UTC)
        found = Trend(start=begin, level=float(level), end=end, slope=slope, low=low, high=high, floors=dots)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    return found if all(map(math.isfinite, (slope, low, high, found.level))) else None


def fitted(dots: Sequence[Dot]) -> Trend | None:
    """The trend of the lowest of these points, as detection fits it; ``None`` for too few."""
    if len(dots) < FEWEST_POINTS:
        return None
    times, low = floors([moment.timestamp() for moment, _value in dots], [value for _moment, value in dots])
    if len(times) < FEWEST_POINTS:
        return None
    line = theil_sen(times, low)
    middle = len(times) // 2
    level = sorted(low)[middle] + line.slope * (times[0] - times[middle])
    return Trend(
        start=datetime.fromtimestamp(times[0], UTC),
        level=level,
        end=datetime.fromtimestamp(times[-1], UTC),
        slope=line.slope * formats.HOUR,
        low=line.low * formats.HOUR,
        high=line.high * formats.HOUR,
        floors=[(datetime.fromtimestamp(time, UTC), value) for time, value in zip(times, low, strict=True)],
    )


def projection_of(leak: Leak, points: Sequence[Point]) -> Projection | None:
    """Where this leak leads; ``None`` without an end in sight, without a limit, and for one that is over."""
    limit = next((point.figures["heap_size_mb"][1] for point in reversed(points) if "heap_size_mb" in point.figures), 0)
    end = leak.exhausted_at
    return Projection(limit_mb=limit, end=end) if end is not None and limit else None


def _growth(leak: Leak, points: Sequence[Point], entries: Sequence[MemorySnapshot]) -> list[Chart]:
    """What grows, with its floor and trend; nothing for a kind that no figure of a snapshot shows."""
    if entries:
        held = evidence.held_in(leak) or _("Entries")
        dots = _entries(leak, entries)
        line = Series(label=held, times=[at for at, _value in dots], values=[value for _at, value in dots], tone="1")
        shown = _with_trend(with_gaps(line), judged_trend(leak) or fitted(dots))
        return [_chart("mw-chart-entries", _("Entries of the container"), "", shown)]
    if leak.kind == Leak.Kind.OBJECTS:
        line = charts.series(leak.object_type, [points], charts.counted(leak.object_type), tone="1")
        return [_chart("mw-chart-type", _("Objects of this type"), "", _with_trend(line, judged_trend(leak)))]
    if leak.kind == Leak.Kind.NATIVE:
        line = charts.series(_("malloc"), [points], malloc_mb, tone="1", banded=False)
        return [_chart("mw-chart-native", _("Allocated by malloc"), " MB", _with_trend(line))]
    if leak.kind == Leak.Kind.UNTRACKED:
        line = charts.series(_("Allocated blocks"), [points], charts.figure("allocated_blocks"), tone="1", banded=False)
        return [_chart("mw-chart-blocks", _("Allocated blocks"), "", _with_trend(line))]
    return []


def malloc_mb(point: Point) -> tuple[float, float, float] | None:
    """What malloc holds: the heap in use without pymalloc's part."""
    used, small = point.figures.get("heap_used_mb"), point.figures.get("pymalloc_used_mb")
    if used is None or small is None:
        return None
    rest = max(0.0, used[1] - small[1])
    return rest, rest, rest


def _entries(leak: Leak, entries: Sequence[MemorySnapshot]) -> list[Dot]:
    token = evidence.token_of(leak)
    return [(each.timestamp, box.length) for each in entries for box in each.big_containers or () if box.token == token]


def _with_trend(line: Series, trend: Trend | None = None) -> tuple[Series, Trend | None]:
    dots = [(at, value) for at, value in zip(line.times, line.values, strict=True) if value is not None]
    return line, trend or fitted(dots)


def fitted_line(label: str, trend: Any, ends: Sequence[Any], **places: Any) -> Series:
    """A trend with its bounds, over the time or along another axis: from one of its ends to the other."""
    middle, low, high = ([trend.at(end, slope) for end in ends] for slope in (trend.slope, trend.low, trend.high))
    return Series(label=label, values=middle, low=low, high=high, tone="2", style="dashed", tabled=False, **places)


def _chart(key: str, title: str, unit: str, shown: tuple[Series, Trend | None]) -> Chart:
    line, trend = shown
    if trend is None:
        return Chart(id=key, title=title, unit=unit, series=[line])
    ends = [trend.start, trend.end]
    dots = list(trend.floors)
    return Chart(
        id=key,
        title=title,
        unit=unit,
        series=[
            fitted_line(_("Fitted trend of the floor, with its bounds"), trend, ends, times=ends),
            line,
            Series(
                label=_("Floor"),
                times=[at for at, _value in dots],
                values=[value for _at, value in dots],
                tone="2",
                style="points",
            ),
        ],
        note=_trend_note(trend, unit),
    )


def _trend_note(trend: Trend, unit: str) -> str:
    def rate(value: float) -> str:
        if unit:
            return formats.signed_megabytes(value)
        return f"{'+' if value > 0 else ''}{formats.decimal(value)}" if abs(value) < 10 else formats.signed_count(value)

    words = {"slope": rate(trend.slope), "low": rate(trend.low), "high": rate(trend.high)}
    return _("The floor rises by %(slope)s per hour (95 %% bounds: %(low)s to %(high)s).") % words


def _where_it_leads(leak: Leak) -> str:
    """In words, where there is no limit to draw."""
    if leak.state == Leak.State.RESOLVED:
        return _("The leak is over. There is no projection.")
    if leak.exhausted_at is None:
        return _("At this rate memory does not run out, or no limit is known.")
    return _("At this rate memory runs out at %s.") % formats.exact(leak.exhausted_at)


def _memory(leak: Leak, points: Sequence[Point], projection: Projection | None) -> Chart:
    series = [
        charts.series(_("RSS"), [points], charts.figure("rss_mb"), tone="1", banded=False),
        charts.series(_("Heap used"), [points], charts.figure("heap_used_mb"), tone="3", banded=False),
    ]
    levels: list[Level] = []
    note = _where_it_leads(leak)
    if projection is not None:
        words = {"limit": formats.megabytes(projection.limit_mb), "at": formats.exact(projection.end)}
        note = _("At this rate the limit of %(limit)s is reached at %(at)s.") % words
        last = next((point for point in reversed(points) if "rss_mb" in point.figures), None)
        if last is not None and last.at < projection.end:
            line, reached = _ahead(last, points[0].at, projection)
            series.append(line)
            if reached:
                levels.append(Level(label=_("limit %s") % words["limit"], value=projection.limit_mb, tone="critical"))
    return Chart(
        id="mw-chart-memory", title=_("Memory of the process"), unit=" MB", series=series, levels=levels, note=note
    )


def _ahead(last: Point, begin: datetime, projection: Projection) -> tuple[Series, bool]:
    """From the last point on, as far ahead as the chart looks back; whether the limit is reached by then."""
    level, whole = last.figures["rss_mb"][1], projection.end - last.at
    shown = min(whole, max(last.at - begin, LEAST_AHEAD))
    end = level + (projection.limit_mb - level) * (shown / whole)
    line = Series(
        label=_("Projected to the limit"),
        times=[last.at, last.at + shown],
        values=[level, end],
        tone="critical",
        style="dashed",
    )
    return line, shown == whole
