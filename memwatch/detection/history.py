"""The figures of a process over time as columns, as every rule reads them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from memwatch.detection.snapshot_parsing import FIGURES, Row
from memwatch.records import BigContainer, MemorySnapshot

MAX_SNAPSHOTS = 100_000
"""More than a process sends in two months at one a minute; a longer list is a mistake of the caller."""

MAX_TYPES = 500
"""Types kept, those that grow most: a report has no more, and a leak is among those that grow."""

MAX_NAME = 300
"""Characters of a type name that are kept, as everywhere in memwatch."""

_RESTARTS = ("gc_collections_gen0", "gc_collections_gen1", "gc_collections_gen2")


def _nothing(_name: str) -> Sequence[int]:
    return ()


@dataclass(frozen=True, kw_only=True)
class History:
    """One process's figures, oldest first. All columns are as long as ``times``; ``None`` is "not measured"."""

    times: tuple[float, ...]
    """Seconds since the epoch, rising."""
    figures: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """By the attribute of :class:`MemorySnapshot`; absent ones were not measured."""
    counts: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    """By type name."""
    containers: Sequence[tuple[BigContainer, ...] | None] = ()
    extension_modules: tuple[str, ...] = ()
    heap_limit_source: str | None = None
    """Whose limit ``heap_size_mb`` is: ``setting``, ``cgroup``, ``rlimit`` or ``host``."""
    earlier: Callable[[str], Sequence[int]] = field(default=_nothing, compare=False)
    """Counts of a type before the first of ``times``, oldest first and thinned; called for types that may be a leak."""
    kept_each: Mapping[str, int] = field(default_factory=dict)
    """Objects of a type in each snapshot, where a caller keeps the snapshots in the process that they describe."""
    keeps: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By a type that leaks, how many objects of each type its holder keeps alive, as a look into the heap has shown."""
    expires: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The same by a type that comes and goes with entries that expire."""
    own_blocks: Sequence[int] = ()
    """Blocks of memory of each snapshot itself, where a caller keeps the snapshots; else empty."""

    def __len__(self) -> int:
        return len(self.times)

    @property
    def span_s(self) -> float:
        """Seconds from the first to the last point."""
        return self.times[-1] - self.times[0] if self.times else 0.0

    def figure(self, name: str) -> Sequence[float | None]:
        """A column; all ``None`` where it was not measured. malloc's part is derived where only the sum is there."""
        column = self.figures.get(name)
        if column is None and name == "malloc_used_mb":
            both = self.figure("heap_used_mb"), self.figure("pymalloc_used_mb")
            return [None if a is None or b is None else a - b for a, b in zip(*both, strict=True)]
        return column if column is not None else [None] * len(self.times)

    def known(self, name: str) -> tuple[list[float], list[float]]:
        """Times and values of a figure where it was measured."""
        return known(self.times, self.figure(name))

    def last(self, name: str) -> float | None:
        """The newest measured value of a figure."""
        return next((value for value in reversed(self.figure(name)) if value is not None), None)

    def work(self) -> list[float] | None:
        """Requests and tasks handled so far, where one of them was counted at every point and moved."""
        columns = [self.figure(name) for name in ("requests_handled", "tasks_handled")]
        counted = [[value for value in column if value is not None] for column in columns]
        whole = [values for values in counted if values and len(values) == len(self.times)]
        if not whole:
            return None
        done = [sum(values) for values in zip(*whole, strict=True)]
        return done if done[-1] > done[0] else None

    @classmethod
    def from_snapshots(
        cls, snapshots: Iterable[MemorySnapshot | Mapping[str, Any]], *, extension_modules: Iterable[str] = ()
    ) -> History:
        """The last life in a list of snapshots (objects or their dicts), in any order, with holes and repeats.

        A life ends where a ``gc_collections_gen*`` falls. Raises :class:`ValueError` for a time without zone, a NaN,
        a negative count, or what is no snapshot. Fewer than three points give a history that no rule judges.
        """
        lives = cls.lives_from_snapshots(snapshots, extension_modules=extension_modules)
        return lives[-1] if lives else cls(times=())

    @classmethod
    def lives_from_snapshots(
        cls, snapshots: Iterable[MemorySnapshot | Mapping[str, Any]], *, extension_modules: Iterable[str] = ()
    ) -> list[History]:
        """Every life in the list, oldest first."""
        rows: dict[float, Row] = {}
        for snapshot in snapshots:
            row = Row.of(snapshot)
            rows[row.time] = row
            if len(rows) > MAX_SNAPSHOTS:
                raise ValueError(f"more than {MAX_SNAPSHOTS:,} snapshots: give a shorter window, or thin it out")
        ordered = [rows[time] for time in sorted(rows)]
        starts = [0] if ordered else []
        last = dict.fromkeys(_RESTARTS, -math.inf)
        for i, row in enumerate(ordered):
            collections = {name: row.figures[name] for name in _RESTARTS if name in row.figures}
            if any(value < last[name] for name, value in collections.items()):
                starts.append(i)
                last = dict.fromkeys(_RESTARTS, -math.inf)
            last.update(collections)
        ends = [*starts[1:], len(ordered)] if starts else []
        modules = tuple(extension_modules)
        return [_columns(ordered[a:b], modules) for a, b in zip(starts, ends, strict=True)]


def _columns(rows: Sequence[Row], extension_modules: tuple[str, ...]) -> History:
    present = [name for name in FIGURES if any(name in row.figures for row in rows)]
    return History(
        times=tuple(row.time for row in rows),
        figures={name: [row.figures.get(name) for row in rows] for name in present},
        counts=_growing_counts(rows),
        containers=tuple(row.containers for row in rows),
        extension_modules=extension_modules,
        heap_limit_source=next((row.limit_source for row in reversed(rows) if row.limit_source), None),
        own_blocks=tuple(row.own_blocks for row in rows),
    )


def _growing_counts(rows: Sequence[Row]) -> dict[str, Sequence[int | None]]:
    """Dense columns of the ``MAX_TYPES`` types that grow most: 100,000 names must not become a dense table."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for row in rows:
        for name, count in (row.counts or {}).items():
            first.setdefault(name, count)
            last[name] = count
    backfill: dict[str, int] = {}
    for row in rows:
        for name, count in row.backfill.items():
            backfill.setdefault(name, count)
    growth = {name: last[name] - min(first[name], backfill.get(name, first[name])) for name in last}
    kept = growth if len(growth) <= MAX_TYPES else heapq.nlargest(MAX_TYPES, growth, key=growth.__getitem__)
    start = next((i for i, row in enumerate(rows) if row.counts is not None), 0)
    found: dict[str, Sequence[int | None]] = {}
    for name in kept:
        column: list[int | None] = [None if row.counts is None else row.counts.get(name) for row in rows]
        if column[start] is None and name in backfill:
            column[start] = backfill[name]
        found[_short(name, found)] = column
    return found


def _short(name: str, taken: Mapping[str, Any]) -> str:
    if len(name) <= MAX_NAME:
        return name
    short, number = name[: MAX_NAME - 1] + "…", 2
    while short in taken:
        tail = f"…{number}"
        short, number = name[: MAX_NAME - len(tail)] + tail, number + 1
    return short


def known(times: Sequence[float], column: Sequence[float | None]) -> tuple[list[float], list[float]]:
    """Times and values where the column is not ``None``."""
    pairs = [(time, float(value)) for time, value in zip(times, column, strict=True) if value is not None]
    return [time for time, _ in pairs], [value for _, value in pairs]
