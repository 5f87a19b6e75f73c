"""The curve on the page of a leak: which stretch of time it shows, the points read for it, and its charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from memwatch import queries
from memwatch.admin import chart_data, charts, time_ranges
from memwatch.admin.chart_data import Marker
from memwatch.admin.leaks import charts as leak_charts
from memwatch.admin.leaks import evidence
from memwatch.admin.leaks.pooled_chart import pooled_chart
from memwatch.models import Leak
from memwatch.queries.processes.slots import lives_of_service

MOST_ENTRIES = 400
"""Snapshots read for the length of a container: whole rows."""
MOST_LIVES = 24
"""Processes drawn for a leak that shows over many short lives."""
BEFORE = 0.15
"""Share of the leak's life to show before its beginning."""
LEAST_SHOWN = timedelta(minutes=5)


def range_of(leak: Leak, query: Mapping[str, str], now: datetime) -> time_ranges.TimeRange:
    """The range of the URL; without one the leak's own life and a little before."""
    since = leak.started_at or leak.detected_at
    process = leak.process
    last = process.ended_at if process is not None and process.ended_at else now
    first = min(since, process.first_seen_at, process.started_at) if process is not None else since
    if not {"range", "from", "to"} & query.keys():
        begin = min(since - (last - since) * BEFORE, last - LEAST_SHOWN)
        return time_ranges.TimeRange(since=max(begin, first - LEAST_SHOWN), until=last, key="", end=last)
    return time_ranges.asked(query, now=now, first=first, last=last)


def links(chosen: time_ranges.TimeRange, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """To other ranges, the leak's own life first."""
    own = not {"range", "from", "to"} & query.keys()
    return [{"label": _("since it began"), "query": "?", "current": own}, *chosen.links]


def points_of(leak: Leak, chosen: time_ranges.TimeRange) -> list[queries.Point]:
    """Of its process; none for a leak over many short lives."""
    if leak.process is None:
        return []
    types = [leak.object_type] if leak.kind == Leak.Kind.OBJECTS else []
    found = queries.charted([leak.process], since=chosen.since, until=chosen.until, types=types)
    return found[leak.process.pk]


def charts_of(
    leak: Leak,
    points: Sequence[queries.Point],
    *,
    lives: Mapping[str, leak_charts.Lives],
    chosen: time_ranges.TimeRange,
    projection: leak_charts.Projection | None,
) -> dict[str, Any]:
    """The charts of one process; for a leak over many short lives, those of :func:`lives_of`."""
    if leak.process is None:
        return _charts_of_lives(leak, lives, chosen)
    entries = []
    if evidence.token_of(leak) is not None:
        entries = queries.history(leak.process, since=chosen.since, until=chosen.until, limit=MOST_ENTRIES)
    drawn = leak_charts.charts_of(leak, points, entries, projection)
    ends = [each.times[-1] for chart in drawn for each in chart.series if each.times]
    happened = queries.events([leak.process], since=chosen.since, until=chosen.until)
    marks = charts.markers(happened)
    if chosen.since <= leak.detected_at <= chosen.until and not any(each.kind == "leak" for each in marks):
        marks.append(Marker(at=leak.detected_at, kind="leak", label=_("detected")))
    return chart_data.page_of_charts(drawn, since=chosen.since, until=max([chosen.until, *ends]), markers=marks)


def _charts_of_lives(
    leak: Leak, lives: Mapping[str, leak_charts.Lives], chosen: time_ranges.TimeRange
) -> dict[str, Any]:
    """All lives laid over each other first, as they were judged; then one after the other."""
    pooled = pooled_chart(leak, [life for slot in lives.values() for life in slot])
    happened = queries.events_of_service(leak.service_id, since=chosen.since, until=chosen.until)
    return chart_data.page_of_charts(
        [*([pooled] if pooled else []), *leak_charts.charts_of_lives(leak, lives)],
        since=chosen.since,
        until=chosen.until,
        markers=charts.markers(happened),
    )


def lives_of(leak: Leak, chosen: time_ranges.TimeRange) -> dict[str, list[list[queries.Point]]]:
    """The newest processes of the service by slot, each slot's lives oldest first; none for a leak of one process."""
    if leak.process_id is not None:
        return {}
    newest = lives_of_service(leak.service_id, until=chosen.until, most=MOST_LIVES)
    types = [leak.object_type] if leak.kind == Leak.Kind.OBJECTS else []
    found = queries.charted(newest, since=chosen.since, until=chosen.until, types=types) if newest else {}
    slots: dict[str, list[list[queries.Point]]] = {}
    for process in reversed(newest):
        if found.get(process.pk):
            slots.setdefault(process.slot, []).append(found[process.pk])
    return dict(sorted(slots.items()))


def typical(lives: Mapping[str, leak_charts.Lives]) -> Sequence[queries.Point]:
    """The life whose RSS gained as much as the median of all."""
    gains = []
    for number, life in enumerate(life for slot in lives.values() for life in slot):
        known = [point.figures["rss_mb"][1] for point in life if "rss_mb" in point.figures]
        if len(known) > 1:
            gains.append((known[-1] - known[0], number, life))
    return sorted(gains)[len(gains) // 2][2] if gains else []
