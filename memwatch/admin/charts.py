"""What the charts of a page draw, and the table under them that says the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from memwatch.admin import evidence, formats
from memwatch.figures import MemorySnapshot
from memwatch.models import Leak

MOST_POINTS = 360
TABLE_ROWS = 24
MOST_READ = 2_000
"""Snapshots read for the charts of a page."""
RANGES = {"1": 1, "6": 6, "24": 24}
"""Hours to look back, by the value of ``hours`` in the URL."""
DEFAULT_RANGE = "6"

Read = Callable[[MemorySnapshot], float | None]


def hours_asked(wanted: str | None) -> int:
    """The range of the URL; anything unknown is the default."""
    return RANGES.get(wanted or "", RANGES[DEFAULT_RANGE])


def range_links(hours: int) -> list[dict[str, Any]]:
    return [
        {"label": formats.duration(each * formats.HOUR), "query": f"?hours={key}", "current": each == hours}
        for key, each in RANGES.items()
    ]


def look_back(now: datetime, hours: int) -> datetime:
    return now - timedelta(hours=hours)


def thinned(history: Sequence[MemorySnapshot], most: int) -> list[MemorySnapshot]:
    """At most so many points, evenly taken, with the last one kept."""
    if len(history) <= most:
        return list(history)
    step = (len(history) - 1) / (most - 1)
    return [history[round(index * step)] for index in range(most)]


def process_charts(history: Sequence[MemorySnapshot]) -> dict[str, Any]:
    """RSS, heap and objects of one process over time."""
    memory: dict[str, Read] = {
        _("RSS"): lambda each: each.rss_mb,
        _("Heap used"): lambda each: each.heap_used_mb,
        _("Heap committed"): lambda each: each.heap_committed_mb,
    }
    drawn: list[tuple[str, str, str, Mapping[str, Read]]] = [("mw-chart-memory", _("Memory in MB"), " MB", memory)]
    if any(each.total_objects is not None for each in history):
        objects: dict[str, Read] = {_("Objects"): lambda each: each.total_objects}
        drawn.append(("mw-chart-objects", _("Objects tracked by gc"), "", objects))
    return _page_of_charts(history, drawn)


def leak_charts(history: Sequence[MemorySnapshot], leak: Leak) -> dict[str, Any]:
    """What leaks beside the process's memory: the type's count, the container's entries, native memory or blocks."""
    held = leak.evidence.get("container") if isinstance(leak.evidence, dict) else None
    token = held.get("token") if isinstance(held, dict) and evidence.unit_of(leak) == "entries" else None

    def counted(each: MemorySnapshot) -> float | None:
        return (each.top_objects or {}).get(leak.object_type)

    def entries(each: MemorySnapshot) -> float | None:
        return next((box.length for box in each.big_containers or () if box.token == token), None)

    charts: list[tuple[str, str, str, Mapping[str, Read]]] = []
    if leak.kind == Leak.Kind.OBJECTS and any(counted(each) is not None for each in history):
        charts.append(("mw-chart-type", _("Objects of this type"), "", {leak.object_type: counted}))
    elif token is not None and any(entries(each) is not None for each in history):
        label = evidence.held_in(leak) or _("Entries")
        charts.append(("mw-chart-entries", _("Entries of what holds it"), "", {label: entries}))
    elif leak.kind == Leak.Kind.NATIVE:
        native: dict[str, Read] = {_("malloc"): lambda each: each.malloc_used_mb}
        charts.append(("mw-chart-native", _("Allocated by malloc in MB"), " MB", native))
    else:
        charts.append(
            ("mw-chart-blocks", _("Allocated blocks"), "", {_("Allocated blocks"): lambda each: each.allocated_blocks})
        )
    memory: dict[str, Read] = {_("RSS"): lambda each: each.rss_mb, _("Heap used"): lambda each: each.heap_used_mb}
    charts.append(("mw-chart-memory", _("Memory of the process in MB"), " MB", memory))
    return _page_of_charts(history, charts)


def _page_of_charts(
    history: Sequence[MemorySnapshot], charts: Sequence[tuple[str, str, str, Mapping[str, Read]]]
) -> dict[str, Any]:
    points = thinned(history, MOST_POINTS)
    times = [round(each.timestamp.timestamp() * 1000) for each in points]
    gaps = sorted(after - before for before, after in itertools.pairwise(times))
    return {
        "available": apps.is_installed("chartkick.django"),
        "points": len(history),
        "charts": [{"id": key, "title": title} for key, title, _unit, _series in charts],
        "data": {
            "timezone": timezone.get_current_timezone_name(),
            "locale": get_language() or "en",
            "span_s": (times[-1] - times[0]) / 1000 if times else 0,
            # A pause of more than four usual steps is drawn as a gap.
            "gap_ms": 4 * gaps[len(gaps) // 2] if gaps else 0,
            "times": times,
            "charts": [
                {
                    "id": key,
                    "unit": unit,
                    "series": [
                        {"label": label, "values": values}
                        for label, read in series.items()
                        for values in ([read(each) for each in points],)
                        if any(value is not None for value in values)
                    ],
                }
                for key, _title, unit, series in charts
            ],
        },
        "table": _table(thinned(history, TABLE_ROWS), charts),
    }


def _table(
    points: Sequence[MemorySnapshot], charts: Sequence[tuple[str, str, str, Mapping[str, Read]]]
) -> dict[str, Any]:
    columns = [(label, unit, read) for _key, _title, unit, series in charts for label, read in series.items()]
    return {
        "heads": [label for label, _unit, _read in columns],
        "rows": [
            {"at": formats.exact(each.timestamp), "cells": [_cell(read(each), unit) for _label, unit, read in columns]}
            for each in reversed(points)
        ],
    }


def _cell(value: float | None, unit: str) -> str:
    if unit:
        return formats.megabytes(value)
    return formats.count(None if value is None else round(value))
