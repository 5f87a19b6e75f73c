"""A process over time, as the columns that are judged: nothing else is read, and no objects are built row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import F, Max, Min, Q

from memwatch.batches import batched
from memwatch.detection import History
from memwatch.models import Baseline, Process, Recording, Snapshot, SnapshotRollup
from memwatch.models.functions import Moment
from memwatch.queries.diagnosis.object_types import UNKNOWN, ids_of, names_of
from memwatch.queries.series.snapshot_mapping import JUDGED, KIB_COLUMNS, NUMBERS, containers_of, megabytes
from memwatch.records.figure import Unit

POINTS = 96
"""One in a quarter of an hour, of a day."""


class EarlierCounts:
    """Counts by type from ``since`` to ``before``, at most ``POINTS`` evenly over that time; read when first asked.

    Not from before the process's first baseline: that was warm-up.
    """

    def __init__(self, process: Process, *, since: datetime, before: datetime) -> None:
        self._process, self._since = process, since
        self._snapshots = Snapshot.objects.filter(process=process, timestamp__lt=before)
        self._read: list[dict[str, int]] | None = None

    def of(self, name: str) -> Sequence[int]:
        """Those of one type, oldest first; empty where there are none."""
        if self._read is None:
            self._read = self._rows()
        number = str(ids_of({name}).get(name))
        return [counts[number] for counts in self._read if number in counts]

    def _rows(self) -> list[dict[str, int]]:
        """Chosen by their numbers, which are consecutive: no other row is read."""
        warm = Baseline.objects.filter(process=self._process).aggregate(first=Min("timestamp"))["first"]
        since = self._since if warm is None else max(warm, self._since)
        ends = self._snapshots.filter(timestamp__gte=since).aggregate(first=Min("seq"), last=Max("seq"))
        if ends["first"] is None:
            return []
        step = max(1, -(-(ends["last"] - ends["first"] + 1) // POINTS))
        chosen = self._snapshots.filter(seq__in=range(ends["first"], ends["last"] + 1, step), counts__isnull=False)
        return [counts for counts in chosen.order_by("seq").values_list("counts", flat=True) if counts is not None]


_AT_ONCE = 50
_HALF_AN_HOUR_S = 1800.0
_LEAST, _MOST = 0, 2


def rolled_histories(processes: Sequence[Process], *, since: datetime) -> Iterator[tuple[Process, History]]:
    """One point an hour since then: the least of each level and of each type's count, the most of each total.

    The hour in which the process started is left out: its least is what was there before anything was imported.
    Roll-ups keep no limit's source: it is that of the process's last snapshot, since limits hardly change in a life.
    """
    for batch in batched(processes, _AT_ONCE):
        by_id = {process.pk: process for process in batch}
        rows = (
            SnapshotRollup.objects.filter(process__in=list(by_id), period=SnapshotRollup.Period.HOUR, start__gte=since)
            .filter(start__gte=F("process__started_at"))
            .order_by("process_id", "start")
            .values_list("process_id", "start", "figures", "floors")
        )
        read, sources = list(rows), _limit_sources(by_id.values())
        for pk, group in groupby(read, key=itemgetter(0)):
            yield by_id[pk], _rolled_history(by_id[pk], list(group), sources.get(pk))


def _limit_sources(processes: Iterable[Process]) -> dict[int, str]:
    """By process id, whose limit it runs against."""
    last = [process.last_snapshot_id for process in processes if process.last_snapshot_id is not None]
    return dict(Snapshot.objects.filter(pk__in=last).order_by().values_list("process", "heap_limit_source"))


def _rolled_history(
    process: Process, rows: Sequence[tuple[int, datetime, dict[str, Any], dict[str, int]]], limit_source: str | None
) -> History:
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

    It is read to its end before any of it is handed over. The caller may write: SQLite refuses every write of a
    connection that still reads, as soon as another has written ("database is locked", at once).

    Snapshots from while a process was recorded are left out: what the recording itself takes is no growth of its own.
    """
    names: dict[int, str] = {}
    recorded = _recorded(processes, since)
    for batch in batched(processes, _PROCESSES_AT_ONCE):
        by_id = {process.pk: process for process in batch}
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
