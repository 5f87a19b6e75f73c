"""Cheap gates: whose series are worth loading. A few rows of a window tell, of however many.

First its two ends: what has not grown by detection's gates would be quiet. Growth by the contract's gate opens at
once. A smaller one has to show in slices of the window, the last above the others: noise seldom does that, and
what detection's steady and memory gates let through does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from memwatch.batches import batched
from memwatch.detection import Thresholds
from memwatch.detection.rules.gates import BLOCKS, BLOCKS_SHARE, MEMORY_KIB, MEMORY_SHARE, STEADY_COUNT, STEADY_SHARE
from memwatch.models import Process, Snapshot, SnapshotRollup

SLICE_POINTS = 4
"""How many points a slice is wide: one may be late or missing."""

_MEMORY = ("allocated_blocks", "heap_used_kib", "heap_committed_kib", "pymalloc_used_kib", "rss_kib")
_LEAST = ((BLOCKS, BLOCKS_SHARE), *[(MEMORY_KIB, MEMORY_SHARE)] * 5)
"""For each value of ``Edge.memory``: what it must have gained, and as a share."""
_AT_ONCE = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """What a gate needs of one row."""

    counts: Mapping[str, int]
    """By type id; lengths of big containers by their name or address."""
    memory: tuple[float | None, ...]
    """Allocated blocks; then in KiB the heap in use, committed, pymalloc's and malloc's part of it, and RSS."""

    @classmethod
    def of(cls, counts: Mapping[str, int], memory: Sequence[float | None], containers: Iterable[Any] = ()) -> Edge:
        blocks, used, committed, pymalloc, rss = memory
        malloc = None if used is None or pymalloc is None else used - pymalloc
        lengths = {f"{item.get('type')} {item.get('name') or item.get('token')}": item["length"] for item in containers}
        return cls({**counts, **lengths}, (blocks, used, committed, pymalloc, malloc, rss))


def contract_opens(first: Edge, last: Edge, limits: Thresholds) -> bool:
    """Whether a type has grown by the contract's gate. One that the first end does not know may have."""
    return any(
        count - first.counts.get(key, 0) > limits.min_growth_count
        and (count - first.counts.get(key, 0)) * 100 > limits.min_growth_percent * first.counts.get(key, 0)
        for key, count in last.counts.items()
    )


def may_open(first: Edge, last: Edge) -> bool:
    """Whether anything has grown by detection's smaller gates: a small gain of a type, or memory."""
    if any(_gained(first.counts.get(key, 0), n, STEADY_COUNT, STEADY_SHARE) for key, n in last.counts.items()):
        return True
    ends = zip(first.memory, last.memory, _LEAST, strict=True)
    return any(_gained(before, now, least, share) for before, now, (least, share) in ends)


def shows(*slices: Sequence[Edge]) -> bool:
    """Whether the last slice lies above those before; where one is empty, that is taken for granted."""
    if not all(slices):
        return True
    late = slices[-1]
    for key in late[-1].counts:
        values = [[edge.counts[key] for edge in edges if key in edge.counts] for edges in slices]
        if not all(values):
            return True
        before = [value for early in values[:-1] for value in early]
        if max(before) < min(values[-1]) and _gained(min(values[0]), max(values[-1]), STEADY_COUNT, STEADY_SHARE):
            return True
    for index, (least, share) in enumerate(_LEAST):
        lows = [_lowest(edges, index) for edges in slices]
        if all(_gained(low, lows[-1], least / 2, share / 2) for low in lows[:-1]):
            return True
    return False


def open_by_snapshots(since: datetime, now: datetime, interval_s: float, limits: Thresholds) -> set[int]:
    """Ids of the alive processes in whose raw snapshots since then something has grown."""
    first = Snapshot.objects.filter(process=OuterRef("pk"), timestamp__gte=since).order_by("timestamp")
    pairs = _watched().filter(last_snapshot__isnull=False).annotate(first_id=Subquery(first.values("pk")[:1]))
    return _opened(
        pairs.values_list("pk", "first_id", "last_snapshot_id"),
        _slices(
            Snapshot.objects.all(), "timestamp", since, now, timedelta(seconds=SLICE_POINTS * interval_s), number=3
        ),
        _snapshot_edges,
        limits,
    )


def grown_lives(lives: Iterable[Process], limits: Thresholds) -> set[int]:
    """Ids of those of these ended processes in which something grew from their first to their last snapshot.

    What :func:`memwatch.detection.judge_lives` asks of a life: half of the contract, or memory.
    """
    half = Thresholds(min_growth_percent=limits.min_growth_percent / 2, min_growth_count=limits.min_growth_count // 2)
    ids = [process.pk for process in lives]
    first = Snapshot.objects.filter(process=OuterRef("pk")).order_by("timestamp")
    grown: set[int] = set()
    for batch in batched(ids, _AT_ONCE):
        rows = Process.objects.filter(pk__in=batch).order_by().annotate(first_id=Subquery(first.values("pk")[:1]))
        pairs = [pair for pair in rows.values_list("pk", "first_id", "last_snapshot_id") if pair[1] and pair[2]]
        edges = _edges_of(Snapshot.objects.all(), pairs, _snapshot_edges)
        for pk, begin, end in pairs:
            ends = edges.get(begin), edges.get(end)
            if ends[0] and ends[1] and (contract_opens(ends[0], ends[1], half) or may_open(ends[0], ends[1])):
                grown.add(pk)
    return grown


def open_by_rollups(since: datetime, now: datetime, limits: Thresholds) -> set[int]:
    """The same from the floors of the hourly roll-ups. The middle of a day is left out: it may be its busy part."""
    every = SnapshotRollup.objects.filter(period=SnapshotRollup.Period.HOUR)
    hours = every.filter(process=OuterRef("pk"), start__gte=since)
    pairs = _watched().annotate(
        first_id=Subquery(hours.order_by("start").values("pk")[:1]),
        last_id=Subquery(hours.order_by("-start").values("pk")[:1]),
    )
    return _opened(
        pairs.values_list("pk", "first_id", "last_id"),
        _slices(every, "start", since, now - timedelta(hours=1), timedelta(hours=SLICE_POINTS), number=2),
        _rollup_edges,
        limits,
    )


def _watched() -> QuerySet[Process]:
    return Process.objects.alive().filter(outside=False).order_by()


def _slices(
    rows: QuerySet[Any], column: str, since: datetime, until: datetime, width: timedelta, *, number: int
) -> list[QuerySet[Any]]:
    """The rows in so many slices of the window, the first at its beginning and the last at its end."""
    apart = (until - since - width) / (number - 1)
    begins = [since + i * apart for i in range(number)]
    return [rows.filter(Q((f"{column}__gte", at), (f"{column}__lte", at + width))).order_by(column) for at in begins]


_Reader = Callable[[QuerySet[Any]], Iterator[tuple[int, int, Edge]]]
"""From rows to (row id, process id, edge)."""


def _opened(
    pairs: Iterable[tuple[int, int | None, int | None]],
    slices: Sequence[QuerySet[Any]],
    read: _Reader,
    limits: Thresholds,
) -> set[int]:
    opened: set[int] = set()
    small: list[int] = []
    moved = [(process, first, last) for process, first, last in pairs if first and last and first != last]
    for moves in batched(moved, _AT_ONCE):
        edges = _edges_of(slices[0].model._default_manager.all(), moves, read)
        for process, first, last in moves:
            if first not in edges or last not in edges:
                continue
            if contract_opens(edges[first], edges[last], limits):
                opened.add(process)
            elif may_open(edges[first], edges[last]):
                small.append(process)
    for batch in batched(small, _AT_ONCE):
        found = [_by_process(read(rows.filter(process__in=batch))) for rows in slices]
        opened.update(pk for pk in batch if shows(*(edges.get(pk, []) for edges in found)))
    return opened


def _edges_of(rows: QuerySet[Any], pairs: Iterable[tuple[int, int, int]], read: _Reader) -> dict[int, Edge]:
    """The edges of these (process, first, last), by row id."""
    ids = [pk for _process, first, last in pairs for pk in (first, last)]
    return {pk: edge for pk, _process, edge in read(rows.filter(pk__in=ids))}


def _by_process(rows: Iterable[tuple[int, int, Edge]]) -> dict[int, list[Edge]]:
    found: dict[int, list[Edge]] = {}
    for _pk, process, edge in rows:
        found.setdefault(process, []).append(edge)
    return found


def _snapshot_edges(rows: QuerySet[Any]) -> Iterator[tuple[int, int, Edge]]:
    for pk, process, counts, extras, *memory in rows.values_list("pk", "process", "counts", "extras", *_MEMORY):
        yield pk, process, Edge.of(counts or {}, memory, (extras or {}).get("big_containers") or ())


def _rollup_edges(rows: QuerySet[Any]) -> Iterator[tuple[int, int, Edge]]:
    for pk, process, figures, floors in rows.values_list("pk", "process", "figures", "floors"):
        yield pk, process, Edge.of(floors, [figures[name][0] if figures.get(name) else None for name in _MEMORY])


def _lowest(edges: Sequence[Edge], index: int) -> float | None:
    return min((value for edge in edges if (value := edge.memory[index]) is not None), default=None)


def _gained(before: float | None, now: float | None, least: float, share: float) -> bool:
    return before is not None and now is not None and now - before >= max(least, share * before)
