"""The chart of a leak that shows over many short lives only: all of them on one axis, with the fitted trend."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median

from django.utils.translation import gettext as _

from memwatch.admin import charts, formats
from memwatch.admin.chart_data import AGE, WORK, Axis, Chart, Series
from memwatch.admin.leaks.charts import fitted_line, malloc_mb
from memwatch.models import Leak
from memwatch.queries import Point
from memwatch.records import KIB_PER_MB

LEAST_POINTS = 3
"""Points of a life needed to draw it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PooledTrend:
    """What the verdict kept: the lives' common curve, and the line through it with its bounds."""

    axis: str
    """``age``: seconds since the process started; ``work``: requests and tasks handled."""
    start: tuple[float, float]
    end: float
    slope: float
    """An hour; a unit of work where that is the axis."""
    low: float
    high: float
    curve: Sequence[tuple[float, float]]
    size: bool
    """MB, not a count."""

    def at(self, x: float, slope: float) -> float:
        """The line of this slope there."""
        return self.start[1] + slope * (x - self.start[0]) / (1.0 if self.axis == "work" else formats.HOUR)


def pooled_trend(leak: Leak) -> PooledTrend | None:
    """As the verdict kept it; ``None`` where it kept none of this kind."""
    kept = leak.evidence.get("trend") if isinstance(leak.evidence, dict) else None
    if not isinstance(kept, Mapping) or kept.get("axis") not in ("age", "work"):
        return None
    scale = 1 / KIB_PER_MB if kept.get("unit") == "KiB" else 1.0
    try:
        x, y = (float(each) for each in kept["start"])
        slope, low, high = (float(kept[name]) * scale for name in ("slope", "low", "high"))
        curve = [(float(at), float(value) * scale) for at, value in kept.get("floors") or ()]
        found = PooledTrend(
            axis=kept["axis"], start=(x, y * scale), end=float(kept["end"]), slope=slope, low=low, high=high,
            curve=curve, size=kept.get("unit") == "KiB",
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None
    return found if all(map(math.isfinite, (x, y, found.end, slope, low, high))) else None


def pooled_chart(leak: Leak, lives: Iterable[Sequence[Point]]) -> Chart | None:
    """The curve that was judged, and behind it the ``lives`` in sight; ``None`` for a leak that was not pooled."""
    trend = pooled_trend(leak)
    if trend is None:
        return None
    ends = (trend.start[0], trend.end)
    drawn = [
        _each_life(leak, trend, lives),
        fitted_line(_("Fitted trend, with its bounds"), trend, ends, positions=ends),
        Series(
            label=_("All processes together"),
            positions=[x for x, _value in trend.curve],
            values=[value for _x, value in trend.curve],
            tone="2",
            style="points",
        ),
    ]
    return Chart(
        id="mw-chart-pooled",
        title=_("All processes of the service, overlaid"),
        unit=" MB" if trend.size else "",
        axis=Axis(kind=WORK, label=_("Requests and tasks that the process has handled"))
        if trend.axis == "work"
        else Axis(kind=AGE, label=_("Age of the process")),
        series=drawn,
        note=_note(trend),
    )


def _note(trend: PooledTrend) -> str:
    per = 1000.0 if trend.axis == "work" else 1.0
    rate = formats.signed_megabytes if trend.size else formats.signed_count
    words = {name: rate(getattr(trend, name) * per) for name in ("slope", "low", "high")}
    if trend.axis == "work":
        text = _(
            "It rises by %(slope)s per 1,000 requests and tasks in every process (95 %% bounds: %(low)s "
            "to %(high)s). Each line is shifted to a common level."
        )
    else:
        text = _(
            "It rises by %(slope)s per hour in every process (95 %% bounds: %(low)s to %(high)s). Each "
            "line is shifted to a common level."
        )
    return text % words


def _each_life(leak: Leak, trend: PooledTrend, lives: Iterable[Sequence[Point]]) -> Series:
    """One line, interrupted between two lives; empty for what no figure of a snapshot shows."""
    read = {Leak.Kind.OBJECTS: charts.counted(leak.object_type), Leak.Kind.NATIVE: malloc_mb}.get(Leak.Kind(leak.kind))
    found = [each for life in lives if len(each := _on_axis(life, read, trend)) >= LEAST_POINTS] if read else []
    levels = [fmean(value for _x, value in life) for life in found]
    middle = median(value for _x, value in trend.curve) if trend.curve else 0.0
    positions: list[float] = []
    values: list[float | None] = []
    for life, level in zip(found, levels, strict=True):
        positions += [*(x for x, _value in life), life[-1][0]]
        values += [*(value - level + middle for _x, value in life), None]
    return Series(label=_("Each process"), positions=positions, values=values, tone="quiet", style="thin", tabled=False)


def _on_axis(life: Sequence[Point], read: charts.Read, trend: PooledTrend) -> list[tuple[float, float]]:
    known = [(point, value[1]) for point in life if (value := read(point)) is not None]
    places = [_place(point, known[0][0], trend.axis) for point, _value in known]
    return [
        (place, value)
        for place, (_point, value) in zip(places, known, strict=True)
        if place is not None and place <= trend.end
    ]


def _place(point: Point, first: Point, axis: str) -> float | None:
    if axis == "age":
        return (point.at - first.at).total_seconds()
    done, before = _work(point), _work(first)
    return None if done is None or before is None else done - before


def _work(point: Point) -> float | None:
    counts = [point.figures[name][1] for name in ("requests_handled", "tasks_handled") if name in point.figures]
    return sum(counts) if counts else None
