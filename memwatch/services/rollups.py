"""Roll-ups: an hour and a day of each process in one row, kept when the snapshots are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, Max, Min, Sum

from memwatch.batches import batched
from memwatch.conf import get_settings
from memwatch.models import Snapshot, SnapshotRollup
from memwatch.queries.series.snapshot_mapping import NUMBERS
from memwatch.services import event_cursors

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATE = timedelta(hours=12)
"""Agents that could not reach the transport deliver late: hours this young are looked at again, or as many as an
agent's buffer holds where snapshots come slowly."""
BACKLOG = timedelta(days=7)
"""How much older than the retention of snapshots the first roll-up looks, for a deployment that was never pruned."""
BATCH = 500
HOURS_UNTIL = "hourly roll-ups"
"""The event cursor up to which every hour is rolled up, of all processes."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""

_AGGREGATES: dict[str, Any] = {
    f"{column}__{name}": function(column)
    for column in NUMBERS
    for name, function in (("min", Min), ("avg", Avg), ("max", Max))
}


def nothing(_what: str, _done: int, _total: int) -> None:
    """No progress is shown."""


def start_of_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def start_of_day(moment: datetime) -> datetime:
    return start_of_hour(moment).replace(hour=0)


def roll_up(now: datetime, progress: Progress = nothing) -> tuple[int, int]:
    """Write the roll-ups of every complete hour and day (UTC) that lack one, or that got more snapshots since.

    Returns how many hourly and daily rows were written. Repeating it writes nothing; being killed half-way loses
    nothing. Hours that were pruned in the meantime keep what they had.
    """
    hours = list(_steps(_begin(SnapshotRollup.Period.HOUR, now), start_of_hour(now), HOUR))
    hourly = 0
    for done, start in enumerate(hours):
        progress("hourly roll-ups", done, len(hours))
        hourly += _roll_hour(start)
    progress("hourly roll-ups", len(hours), len(hours))
    event_cursors.reach(HOURS_UNTIL, start_of_hour(now))
    days = list(_steps(_begin(SnapshotRollup.Period.DAY, now), start_of_day(now), DAY))
    daily = 0
    for done, start in enumerate(days):
        progress("daily roll-ups", done, len(days))
        daily += _roll_day(start)
    progress("daily roll-ups", len(days), len(days))
    return hourly, daily


def _steps(begin: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    while begin < end:
        yield begin
        begin += step


def _begin(period: str, now: datetime) -> datetime:
    """Where to start looking: shortly before the newest roll-up, else at the oldest that may be there."""
    newest = SnapshotRollup.objects.filter(period=period).order_by("-start").values_list("start", flat=True).first()
    if period == SnapshotRollup.Period.HOUR:
        kept = timedelta(hours=get_settings().retention_snapshots_hours)
        oldest = start_of_hour(now - kept - BACKLOG)
        return oldest if newest is None else max(oldest, start_of_hour(newest - _late()))
    kept = timedelta(days=get_settings().retention_hourly_days)
    oldest = start_of_day(now - kept)
    return oldest if newest is None else max(oldest, start_of_day(newest - _late()))


def _late() -> timedelta:
    """How old a snapshot may be that an agent has kept while the transport was away."""
    settings = get_settings()
    return max(LATE, timedelta(seconds=settings.agent_config().buffer_size * settings.snapshot_interval))


def _roll_hour(start: datetime) -> int:
    rows = Snapshot.objects.filter(timestamp__gte=start, timestamp__lt=start + HOUR).order_by()
    sampled = dict(rows.values_list("process").annotate(Count("pk")))
    stale = _stale(SnapshotRollup.Period.HOUR, start, sampled)
    written = 0
    for batch in batched(stale, BATCH):
        own = rows.filter(process__in=batch)
        floors = _floors(own.exclude(counts=None).values_list("process", "counts").iterator(chunk_size=2000))
        aggregated: Iterable[Mapping[str, Any]] = own.values("process").annotate(**_AGGREGATES)
        figures = {row["process"]: _triples(row) for row in aggregated}
        written += _write(SnapshotRollup.Period.HOUR, start, sampled, figures, floors)
    return written


def _triples(row: Mapping[str, Any]) -> dict[str, list[float]]:
    return {
        column: [row[f"{column}__min"], round(row[f"{column}__avg"], 3), row[f"{column}__max"]]
        for column in NUMBERS
        if row[f"{column}__min"] is not None
    }


def _roll_day(start: datetime) -> int:
    rows = SnapshotRollup.objects.filter(
        period=SnapshotRollup.Period.HOUR, start__gte=start, start__lt=start + DAY
    ).order_by()
    sampled = dict(rows.values_list("process").annotate(Sum("samples")))
    stale = _stale(SnapshotRollup.Period.DAY, start, sampled)
    written = 0
    for batch in batched(stale, BATCH):
        hours: dict[int, list[tuple[int, dict[str, Any], dict[str, int]]]] = {}
        for process, samples, figures, floors in rows.filter(process__in=batch).values_list(
            "process", "samples", "figures", "floors"
        ):
            hours.setdefault(process, []).append((samples, figures, floors))
        figures_by_process = {pk: _joined([(n, figures) for n, figures, _ in items]) for pk, items in hours.items()}
        floors_by_process = _floors((pk, floors) for pk, items in hours.items() for _, _, floors in items)
        written += _write(SnapshotRollup.Period.DAY, start, sampled, figures_by_process, floors_by_process)
    return written


def _stale(period: str, start: datetime, sampled: Mapping[int, int]) -> list[int]:
    """The processes whose roll-up is missing or knows fewer snapshots than there are."""
    known = dict(SnapshotRollup.objects.filter(period=period, start=start).values_list("process", "samples"))
    return sorted(pk for pk, samples in sampled.items() if samples > known.get(pk, 0))


def _floors(rows: Iterable[tuple[int, Mapping[str, int] | None]]) -> dict[int, dict[str, int]]:
    """The lowest count of each type, by process."""
    floors: dict[int, dict[str, int]] = {}
    for process, counts in rows:
        own = floors.setdefault(process, {})
        for key, count in (counts or {}).items():
            known = own.get(key)
            if known is None or count < known:
                own[key] = count
    return floors


def _joined(items: list[tuple[int, dict[str, Any]]]) -> dict[str, list[float]]:
    """Figures of several roll-ups as one: least, mean weighted by snapshots, most."""
    joined: dict[str, list[float]] = {}
    for column in NUMBERS:
        known = [(samples, figures[column]) for samples, figures in items if figures.get(column)]
        if known:
            total = sum(samples for samples, _ in known)
            joined[column] = [
                min(values[0] for _, values in known),
                round(sum(samples * values[1] for samples, values in known) / total, 3),
                max(values[2] for _, values in known),
            ]
    return joined


def _write(
    period: str,
    start: datetime,
    sampled: Mapping[int, int],
    figures: Mapping[int, dict[str, Any]],
    floors: Mapping[int, dict[str, int]],
) -> int:
    rows = [
        SnapshotRollup(
            process_id=pk, period=period, start=start, samples=sampled[pk], figures=found, floors=floors.get(pk, {})
        )
        for pk, found in figures.items()
        if pk in sampled
    ]
    SnapshotRollup.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["process", "period", "start"],
        update_fields=["samples", "figures", "floors"],
        batch_size=BATCH,
    )
    return len(rows)
