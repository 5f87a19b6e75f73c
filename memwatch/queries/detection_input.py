"""A process over time, as the columns that are judged: nothing else is read, and no objects are built row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Q

from memwatch.detection import History
from memwatch.models import Process, Recording, Snapshot
from memwatch.models.functions import Moment
from memwatch.queries.object_types import names_of
from memwatch.queries.snapshot_mapping import JUDGED, KIB_COLUMNS, NUMBERS, containers_of, megabytes

_PROCESSES_AT_ONCE = 20
"""At up to 300 rows of a few kilobytes each, they are held at the same time."""

AFTER_RECORDING = timedelta(seconds=30)
"""What a recording took is given back when it ends, if not with the same breath."""

_COLUMNS = ("process_id", "timestamp", "counts", "extras", "heap_limit_source", *JUDGED)
_READ = tuple(Moment(name) if name == "timestamp" else name for name in _COLUMNS)


def judged_history(process: Process, *, since: datetime, until: datetime | None = None) -> History:
    """The process's series from ``since`` to ``until``; empty where nothing was reported."""
    for _process, found in judged_histories([process], since=since, until=until):
        return found
    return _history(process, [], {})


def judged_histories(
    processes: Sequence[Process],
    *,
    since: datetime,
    until: datetime | None = None,
    begins: Mapping[int, datetime] | None = None,
) -> Iterator[tuple[Process, History]]:
    """The series of each of these processes that reported in that time; one query for 20 processes.

    ``begins``: by process id, from when on it is judged where that is later than ``since``.

    It is read to its end before any of it is handed over. Whoever takes it may write: SQLite refuses every write of a
    connection that still reads, as soon as another has written ("database is locked", at once).

    Snapshots from while a process was recorded are left out: what the recording itself takes is no growth of its own.
    """
    names: dict[int, str] = {}
    recorded = _recorded(processes, since)
    for start in range(0, len(processes), _PROCESSES_AT_ONCE):
        by_id = {process.pk: process for process in processes[start : start + _PROCESSES_AT_ONCE]}
        rows = Snapshot.objects.filter(process__in=list(by_id), timestamp__gte=since)
        if until is not None:
            rows = rows.filter(timestamp__lte=until)
        read = list(rows.order_by("process_id", "timestamp", "seq").values_list(*_READ))
        for pk, group in groupby(read, key=itemgetter(0)):
            begin = (begins or {}).get(pk, since)
            spans = recorded.get(pk, ())
            own = _rising(row for row in group if row[1] >= begin and not any(a <= row[1] <= b for a, b in spans))
            if own:
                yield by_id[pk], _history(by_id[pk], own, names)


def _recorded(processes: Sequence[Process], since: datetime) -> dict[int, list[tuple[datetime, datetime]]]:
    """When each of these, and maybe others, was recorded since then, to shortly after. One query."""
    rows = Recording.objects.filter(started_at__isnull=False).order_by()
    rows = rows.filter(Q(finished_at=None) | Q(finished_at__gte=since - AFTER_RECORDING))
    if len(processes) <= _PROCESSES_AT_ONCE:
        rows = rows.filter(process__in=[process.pk for process in processes])
    found: dict[int, list[tuple[datetime, datetime]]] = {}
    for pk, begin, end, deadline in rows.values_list("process", "started_at", "finished_at", "deadline"):
        if begin is not None:
            found.setdefault(pk, []).append((begin, (end or deadline) + AFTER_RECORDING))
    return found


def _rising(rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """Without rows of a time that the row before has as well (a clock that was set back)."""
    found: list[Sequence[Any]] = []
    for row in rows:
        if not found or row[1] > found[-1][1]:
            found.append(row)
    return found


def _history(process: Process, rows: Sequence[Sequence[Any]], names: dict[int, str]) -> History:
    """Columns of these rows, oldest first. A backfill of a type comes as its count at the first of the rows."""
    columns: dict[str, Sequence[Any]] = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True)) if rows else {}
    counts, extras = columns.get("counts", ()), columns.get("extras", ())
    figures: dict[str, Sequence[float | None]] = {}
    for column in JUDGED:
        values = columns.get(column, ())
        figures[NUMBERS[column].name] = tuple(map(megabytes, values)) if column in KIB_COLUMNS else values
    return History(
        times=tuple(moment.timestamp() for moment in columns.get("timestamp", ())),
        figures=figures,
        counts=_counts(counts, extras, names),
        containers=tuple(containers_of(item) for item in extras),
        extension_modules=tuple(process.extension_modules or ()),
        heap_limit_source=next(iter(columns.get("heap_limit_source", ())[-1:]), None) or None,
    )


def _counts(
    counts: Sequence[dict[str, int] | None], extras: Sequence[dict[str, Any] | None], names: dict[int, str]
) -> dict[str, Sequence[int | None]]:
    """Each type's counts, ``None`` where it was not reported. ``names`` are those known, and learns the others."""
    known = _backfilled(extras)
    keys: Iterable[str] = dict.fromkeys(key for row in counts if row for key in row)
    names.update(names_of({int(key) for key in keys} - names.keys()))
    found: dict[str, Sequence[int | None]] = {}
    for key in keys:
        series = [None if row is None else row.get(key) for row in counts]
        if key in known and series[0] is None:
            series[0] = known[key]
        found[names[int(key)]] = series
    return found


def _backfilled(extras: Sequence[dict[str, Any] | None]) -> dict[str, int]:
    """Counts at the process's baseline of the types that were reported later, by id."""
    known: dict[str, int] = {}
    for item in extras:
        for key, count in ((item or {}).get("backfill") or {}).items():
            known.setdefault(key, count)
    return known
