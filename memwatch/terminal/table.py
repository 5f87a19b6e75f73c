"""The fleet as a table, as ``top`` shows processes: values apart from how they are printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from memwatch import formatting, queries
from memwatch.models import Leak
from memwatch.queries.leaks import active_leaks_of_processes
from memwatch.queries.series.trends import growth_mb_per_hour
from memwatch.records import SEVERITIES


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One process."""

    name: str
    """Slot and host."""
    service: str
    pid: int
    rss_mb: float | None
    heap_mb: float | None
    heap_percent: float | None
    objects: int | None
    growth_mb_per_hour: float | None
    drift_percent: float | None
    leaks: int
    worst: str
    """The most severe open leak, e.g. ``high shop.leaks.PriceQuote``; empty without one."""
    worst_rank: int
    seen_at: datetime


SORTS: Mapping[str, Callable[[Row], float]] = {
    "rss": lambda row: row.rss_mb or 0.0,
    "heap": lambda row: row.heap_mb or 0.0,
    "objects": lambda row: row.objects or 0,
    "growth": lambda row: row.growth_mb_per_hour if row.growth_mb_per_hour is not None else float("-inf"),
    "drift": lambda row: row.drift_percent if row.drift_percent is not None else float("-inf"),
    "leak": lambda row: row.worst_rank * 1e6 + row.leaks,
}
"""Largest first."""

HEADS = ("PROCESS", "PID", "RSS", "HEAP", "%LIMIT", "OBJECTS", "GROWTH/h", "DRIFT", "WORST LEAK", "SEEN")
NUMBERS = frozenset({"PID", "RSS", "HEAP", "%LIMIT", "OBJECTS", "GROWTH/h", "DRIFT"})


def rows(now: datetime) -> list[Row]:
    """Every process that is alive, in the order of services, hosts and slots."""
    items = queries.fleet()
    growth = growth_mb_per_hour(now)
    worst = _worst_leaks()
    found = []
    for item in items:
        process, figures = item.process, item.figures
        leak = worst.get(process.pk)
        found.append(
            Row(
                name=str(process),
                service=process.service.name,
                pid=process.pid,
                rss_mb=figures.rss_mb if figures else None,
                heap_mb=figures.heap_used_mb if figures else None,
                heap_percent=figures.heap_percent if figures else None,
                objects=figures.total_objects if figures else None,
                growth_mb_per_hour=growth.get(process.pk),
                drift_percent=item.drift_percent,
                leaks=item.open_leaks,
                worst=f"{leak.severity} {leak.what}" if leak else "",
                worst_rank=SEVERITIES.index(leak.severity) + 1 if leak else 0,
                seen_at=process.last_seen_at,
            )
        )
    return found


def _worst_leaks() -> dict[int | None, Leak]:
    leaks = active_leaks_of_processes()
    return {leak.process_id: leak for leak in sorted(leaks, key=lambda leak: SEVERITIES.index(leak.severity))}


def arranged(found: Iterable[Row], *, sort: str, service: str = "", text: str = "") -> list[Row]:
    """Rows of the service with the text in name or leak, sorted by one of ``SORTS``, or by name if that is empty."""
    chosen = [
        row
        for row in found
        if (not service or row.service == service) and text.lower() in f"{row.name} {row.worst}".lower()
    ]
    return sorted(chosen, key=SORTS[sort], reverse=True) if sort else chosen


def cells(row: Row, now: datetime) -> tuple[str, ...]:
    """As people read them, in the order of ``HEADS``."""
    growth = row.growth_mb_per_hour
    return (
        row.name,
        str(row.pid),
        formatting.megabytes(row.rss_mb),
        formatting.megabytes(row.heap_mb),
        formatting.percent(row.heap_percent),
        formatting.count(row.objects),
        formatting.signed_megabytes(growth),
        formatting.signed_percent(row.drift_percent),
        row.worst or formatting.NOT_MEASURED,
        formatting.age(row.seen_at, now),
    )


def plain(lines: Iterable[Sequence[str]], heads: Sequence[str] = HEADS, numbers: frozenset[str] = NUMBERS) -> list[str]:
    """Lines in columns, for a pipe or a file."""
    all_lines = [heads, *lines]
    widths = [max(len(line[column]) for line in all_lines) for column in range(len(heads))]
    return [
        "  ".join(
            text.rjust(width) if head in numbers else text.ljust(width)
            for head, text, width in zip(heads, line, widths, strict=True)
        ).rstrip()
        for line in all_lines
    ]


def heading(found: Sequence[Row], shown: Sequence[Row], now: datetime, zone: str) -> str:
    """One line above the table."""
    rss = formatting.megabytes(sum(row.rss_mb or 0.0 for row in found))
    leaks = sum(row.leaks for row in found)
    part = "" if len(shown) == len(found) else f", {len(shown)} shown"
    return f"memwatch  {now:%H:%M:%S} {zone}  {len(found)} processes{part}, RSS {rss}, {leaks} open leaks"
