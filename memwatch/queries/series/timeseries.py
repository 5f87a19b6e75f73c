"""Processes over any stretch of time as a few hundred points: from snapshots, and where it is long from roll-ups.

Whatever the stretch and the size of the tables, at most :data:`MOST_READ` snapshots and some 1,200 roll-ups are read:
of many snapshots every n-th, found by its sequence number, so that the rows between are not touched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from memwatch.conf import get_settings
from memwatch.models import Process, Snapshot, SnapshotRollup
from memwatch.queries.diagnosis.object_types import ids_of
from memwatch.queries.series.snapshot_mapping import JUDGED, KIB_COLUMNS, NUMBERS
from memwatch.records import KIB_PER_MB

MOST_READ = 1_500
"""Snapshots."""
POINTS = 360
OUTSIDE_TIMES = 200
LEAST_EACH = 60
"""Snapshots of each process, however many there are."""

NAMES = tuple(NUMBERS[column].name for column in JUDGED)
"""The figures by attribute name: MB and counts."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RAW_SPAN = timedelta(hours=26)
"""Up to this length snapshots are drawn, where they are still there."""
HOURLY_SPAN = timedelta(days=32)
"""Up to this length hourly roll-ups; beyond it daily ones."""

SNAPSHOTS, HOURLY, DAILY = "snapshots", SnapshotRollup.Period.HOUR.value, SnapshotRollup.Period.DAY.value
_LENGTHS = {SNAPSHOTS: timedelta(0), HOURLY: HOUR, DAILY: DAY}
_COARSE_FIRST = (DAILY, HOURLY, SNAPSHOTS)

Range3 = tuple[float, float, float]
"""Least, mean, most."""
Windows = Mapping[int, tuple[datetime, datetime]]


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """One snapshot, or what many have in common."""

    at: datetime
    figures: Mapping[str, Range3]
    """By attribute name; what was not measured is missing."""
    counts: Mapping[str, int]
    """Objects by type name, of the types asked for; of a roll-up the least. Missing without a census."""
    source: str = SNAPSHOTS


def charted(
    processes: Sequence[Process], *, since: datetime, until: datetime, types: Iterable[str] = (), points: int = POINTS
) -> dict[int, list[Point]]:
    """The points of each process by its id, oldest first, ``points`` at most. Two to six queries, however many."""
    reader = _Reader(processes, {key: name for name, key in ids_of(types).items()})
    span = until - since
    main = SNAPSHOTS if span <= RAW_SPAN else HOURLY if span <= HOURLY_SPAN else DAILY
    place = _COARSE_FIRST.index(main)
    found = reader.read(main, {process.pk: (since, until) for process in processes})
    for source in _COARSE_FIRST[place + 1 :]:
        # What is not rolled up yet.
        rest = {pk: (_end(own, since), until) for pk, own in found.items()}
        for pk, own in reader.read(source, rest).items():
            found[pk].extend(own)
    for source in reversed(_COARSE_FIRST[:place]):
        # What is kept in coarser roll-ups only.
        before = {
            process.pk: (since, _begin(found[process.pk], until))
            for process in processes
            if _begin(found[process.pk], until) - max(since, process.first_seen_at) > _LENGTHS[source]
        }
        for pk, own in reader.read(source, before).items():
            found[pk][:0] = own
    return {pk: bucketed(own, points) for pk, own in found.items()}


def bucketed(history: Sequence[Point], most: int) -> list[Point]:
    """At most so many points, by stretches of equal time: a spike stays in the range of its stretch."""
    if len(history) <= most:
        return list(history)
    begin = history[0].at
    width = (history[-1].at - begin) / most or timedelta(seconds=1)
    slots: dict[int, list[Point]] = {}
    for point in history:
        slots.setdefault(min(most - 1, (point.at - begin) // width), []).append(point)
    return [_joined(slots[slot]) for slot in sorted(slots)]


class _Reader:
    """Reads one kind of row for many processes at once, each within its window."""

    def __init__(self, processes: Sequence[Process], names: Mapping[int, str]) -> None:
        self.processes = processes
        self.names = names
        self.most_each = max(LEAST_EACH, MOST_READ // max(1, len(processes)))

    def read(self, source: str, windows: Windows) -> dict[int, list[Point]]:
        """By process id, oldest first; a process without rows has an empty list."""
        windows = {pk: (since, until) for pk, (since, until) in windows.items() if since < until}
        if not windows:
            return {}
        found: dict[int, list[Point]] = {pk: [] for pk in windows}
        for pk, point in self._snapshots(windows) if source == SNAPSHOTS else self._rollups(source, windows):
            found[pk].append(point)
        return found

    def _snapshots(self, windows: Windows) -> Iterable[tuple[int, Point]]:
        wanted = self._numbers(windows)
        if not wanted:
            return
        columns = ("process_id", "timestamp", *JUDGED, *(("counts",) if self.names else ()))
        rows = Snapshot.objects.filter(wanted).order_by("process_id", "timestamp").values_list(*columns)
        for pk, at, *values in rows:
            figures = {}
            for column, name, value in zip(JUDGED, NAMES, values, strict=False):
                if value is not None:
                    size = value / KIB_PER_MB if column in KIB_COLUMNS else value
                    figures[name] = (size, size, size)
            yield pk, Point(at, figures, self._named(values[-1]) if self.names else {})

    def _numbers(self, windows: Windows) -> Q:
        """The snapshots to read, by sequence number: all of a window, or evenly so many of them."""
        wanted = Q()
        outside = {process.pk for process in self.processes if process.outside}
        for pk in outside & windows.keys():
            wanted |= self._moments(pk, *windows[pk])
        numbered = {pk: window for pk, window in windows.items() if pk not in outside}
        for group, (since, until) in _same(numbered).items():
            own = Snapshot.objects.filter(process=OuterRef("pk"), timestamp__gte=since, timestamp__lte=until)
            ends = (
                Process.objects.filter(pk__in=group)
                .order_by()
                .annotate(
                    first=Subquery(own.order_by("timestamp").values("seq")[:1]),
                    last=Subquery(own.order_by("-timestamp").values("seq")[:1]),
                )
            )
            for pk, first, last in ends.values_list("pk", "first", "last"):
                if first is None or last is None:
                    continue
                step = -(-(abs(last - first) + 1) // self.most_each)
                if step == 1:
                    wanted |= Q(process=pk, seq__range=sorted((first, last)))
                else:
                    wanted |= Q(process=pk, seq__in=[*range(min(first, last), max(first, last), step), last])
        return wanted

    def _moments(self, pk: int, since: datetime, until: datetime) -> Q:
        """The points of a process seen from outside, whose snapshots are numbered by the clock: evenly spaced times."""
        interval = timedelta(seconds=get_settings().snapshot_interval)
        if (until - since) / interval <= self.most_each:
            return Q(process=pk, timestamp__range=(since, until))
        step = (until - since) / OUTSIDE_TIMES
        wanted = Q()
        for place in range(OUTSIDE_TIMES):
            begin = since + place * step
            wanted |= Q(timestamp__range=(begin, begin + 1.2 * interval))
        return Q(process=pk) & (wanted | Q(timestamp__range=(until - 1.2 * interval, until)))

    def _rollups(self, period: str, windows: Windows) -> Iterable[tuple[int, Point]]:
        wanted = Q()
        length = _LENGTHS[period]
        for pk, (since, until) in windows.items():
            wanted |= Q(process=pk, start__gt=since - length, start__lte=until - length / 2)
        columns = ("process_id", "start", "figures", *(("floors",) if self.names else ()))
        rows = SnapshotRollup.objects.filter(wanted, period=period).order_by("process_id", "start")
        for pk, start, figures, *floors in rows.values_list(*columns):
            yield pk, Point(start + length / 2, _rolled(figures), self._named(floors[0]) if floors else {}, period)

    def _named(self, counts: Any) -> dict[str, int]:
        return {name: counts[str(key)] for key, name in self.names.items() if str(key) in counts} if counts else {}


def _same(windows: Windows) -> dict[tuple[int, ...], tuple[datetime, datetime]]:
    """Processes with the same window together: one query for all of them."""
    groups: dict[tuple[datetime, datetime], list[int]] = {}
    for pk, window in windows.items():
        groups.setdefault(window, []).append(pk)
    return {tuple(pks): window for window, pks in groups.items()}


def _rolled(figures: Any) -> dict[str, Range3]:
    found = {}
    for column, name in zip(JUDGED, NAMES, strict=True):
        values = figures.get(column) if isinstance(figures, dict) else None
        if values:
            low, mean, high = (value / KIB_PER_MB for value in values) if column in KIB_COLUMNS else values
            found[name] = (low, mean, high)
    return found


def _end(own: Sequence[Point], since: datetime) -> datetime:
    return own[-1].at + _LENGTHS[own[-1].source] / 2 if own else since


def _begin(own: Sequence[Point], until: datetime) -> datetime:
    return own[0].at if own else until


def _joined(points: Sequence[Point]) -> Point:
    if len(points) == 1:
        return points[0]
    figures = {}
    for name in NAMES:
        known = [point.figures[name] for point in points if name in point.figures]
        if known:
            mean = sum(each[1] for each in known) / len(known)
            figures[name] = (min(each[0] for each in known), mean, max(each[2] for each in known))
    counts: dict[str, int] = {}
    for point in points:
        counts.update(point.counts)
    return Point(points[len(points) // 2].at, figures, counts, points[-1].source)
