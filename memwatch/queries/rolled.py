"""The floors of hourly roll-ups as columns that are judged: how slow leaks are seen over days."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from django.db.models import F

from memwatch.figure import Unit
from memwatch.models import Process, Snapshot, SnapshotRollup
from memwatch.queries.object_types import UNKNOWN, names_of
from memwatch.queries.snapshot_mapping import JUDGED, KIB_COLUMNS, NUMBERS, megabytes

if TYPE_CHECKING:
    from memwatch.detection import History

_AT_ONCE = 50
_HALF_AN_HOUR_S = 1800.0
_LEAST, _MOST = 0, 2


def rolled_histories(processes: Sequence[Process], *, since: datetime) -> Iterator[tuple[Process, History]]:
    """One point an hour since then: the least of each level and of each type's count, the most of each total.

    The hour in which the process started is left out: its least is what was there before anything was imported.
    Roll-ups keep no limit's source: it is that of the process's last snapshot, since limits hardly change in a life.
    """
    for begin in range(0, len(processes), _AT_ONCE):
        by_id = {process.pk: process for process in processes[begin : begin + _AT_ONCE]}
        rows = (
            SnapshotRollup.objects.filter(process__in=list(by_id), period=SnapshotRollup.Period.HOUR, start__gte=since)
            .filter(start__gte=F("process__started_at"))
            .order_by("process_id", "start")
            .values_list("process_id", "start", "figures", "floors")
        )
        read, sources = list(rows), _limit_sources(by_id.values())
        for pk, group in groupby(read, key=itemgetter(0)):
            yield by_id[pk], _history(by_id[pk], list(group), sources.get(pk))


def _limit_sources(processes: Iterable[Process]) -> dict[int, str]:
    """By process id, whose limit it runs against."""
    last = [process.last_snapshot_id for process in processes if process.last_snapshot_id is not None]
    return dict(Snapshot.objects.filter(pk__in=last).order_by().values_list("process", "heap_limit_source"))


def _history(
    process: Process, rows: Sequence[tuple[int, datetime, dict[str, Any], dict[str, int]]], limit_source: str | None
) -> History:
    from memwatch.detection import History  # noqa: PLC0415

    figures: dict[str, Sequence[float | None]] = {}
    for column in JUDGED:
        figure = NUMBERS[column]
        part = _MOST if figure.unit is Unit.TOTAL else _LEAST
        values = [row[2][column][part] if row[2].get(column) else None for row in rows]
        figures[figure.name] = tuple(map(megabytes, values) if column in KIB_COLUMNS else values)
    keys = dict.fromkeys(key for row in rows for key in row[3])
    names = names_of(int(key) for key in keys)
    return History(
        times=tuple(row[1].timestamp() + _HALF_AN_HOUR_S for row in rows),
        figures=figures,
        counts={names.get(int(key), UNKNOWN): [row[3].get(key) for row in rows] for key in keys},
        containers=tuple(None for _ in rows),
        extension_modules=tuple(process.extension_modules or ()),
        heap_limit_source=limit_source or None,
    )
