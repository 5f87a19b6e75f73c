"""Between rows and values: KiB and microseconds in the columns, MB and milliseconds in the values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from memwatch.detection.snapshot_parsing import FIGURES as JUDGED_FIGURES
from memwatch.models import Baseline, FiguresColumns, Snapshot
from memwatch.queries.diagnosis.object_types import UNKNOWN, names_of
from memwatch.records import FIGURES, KIB_PER_MB, BigContainer, MemorySnapshot
from memwatch.records.figure import Unit

NUMBERS = {figure.column: figure for figure in FIGURES.values() if figure.column}
"""The figure that each column of numbers keeps."""

KIB_COLUMNS = {column: figure.name for column, figure in NUMBERS.items() if figure.unit is Unit.MB}
"""Column -> attribute of :class:`MemorySnapshot`, by 1024."""

JUDGED = tuple(column for column, figure in NUMBERS.items() if figure.name in JUDGED_FIGURES)
"""The columns that detection reads, and that are drawn."""

_SCALED = tuple((column, figure.name, figure.unit.kept) for column, figure in NUMBERS.items() if figure.unit.kept != 1)
_PLAIN = tuple((column, figure.name) for column, figure in NUMBERS.items() if figure.unit.kept == 1)
_ZEROS = tuple((column, figure.name) for column, figure in NUMBERS.items() if figure.default == 0)
"""Null in the row means 0 here, not unknown: nothing is traced in most processes, and null takes no room."""

COLUMNS = tuple(field.name for field in FiguresColumns._meta.get_fields())
"""Every column of figures, as snapshots and baselines share them."""

_NAMED_EXTRAS = ("type_sizes", "backfill")
_CONTAINER = tuple(field.name for field in dataclasses.fields(BigContainer))


def type_names(snapshot: MemorySnapshot) -> set[str]:
    """Every type name that the snapshot counts."""
    names: set[str] = set()
    for counts in (snapshot.top_objects, snapshot.type_sizes, snapshot.backfill):
        names.update(counts or ())
    return names


def columns_of(snapshot: MemorySnapshot, ids: Mapping[str, int]) -> dict[str, Any]:
    """The columns that keep the snapshot, given the ids of its :func:`type_names`."""
    values: dict[str, Any] = {column: getattr(snapshot, name) for column, name in _PLAIN}
    for column, name, kept in _SCALED:
        value = getattr(snapshot, name)
        values[column] = None if value is None else round(value * kept)
    for column, _name in _ZEROS:
        values[column] = values[column] or None
    values["heap_limit_source"] = (snapshot.heap_limit_source or "")[:10]
    values["gc_count"] = None if snapshot.gc_count is None else list(snapshot.gc_count)
    values["gc_threshold"] = None if snapshot.gc_threshold is None else list(snapshot.gc_threshold)
    values["counts"] = _by_id(snapshot.top_objects, ids)
    extras = {name: _by_id(getattr(snapshot, name), ids) for name in _NAMED_EXTRAS if getattr(snapshot, name)}
    if snapshot.big_containers:
        extras["big_containers"] = [_sparse(item) for item in snapshot.big_containers]  # type: ignore[assignment]
    if snapshot.rss_seconds:
        extras["rss_seconds"] = [list(pair) for pair in snapshot.rss_seconds]  # type: ignore[assignment]
    values["extras"] = extras or None
    return values


class FiguresRow(Protocol):
    """A snapshot, a baseline, or as much of one as was read: beside these, every column of numbers."""

    @property
    def timestamp(self) -> datetime: ...
    @property
    def heap_limit_source(self) -> str: ...
    @property
    def gc_count(self) -> Any: ...
    @property
    def gc_threshold(self) -> Any: ...
    @property
    def counts(self) -> Any: ...
    @property
    def extras(self) -> Any: ...


def figures_of(row: Snapshot | Baseline) -> MemorySnapshot:
    """The figures kept in a snapshot's or a baseline's row."""
    return figures_of_many([row])[0]


def figures_of_many(rows: Iterable[FiguresRow]) -> list[MemorySnapshot]:
    """The same for many, with one look-up of type names for all."""
    rows = list(rows)
    ids: set[int] = set()
    for row in rows:
        ids.update(map(int, row.counts or ()))
        for name in _NAMED_EXTRAS:
            ids.update(map(int, (row.extras or {}).get(name) or ()))
    names = names_of(ids) if ids else {}
    return [MemorySnapshot(**_numbers(row), **_rest(row, names)) for row in rows]


def counts_by_name(counts: Mapping[str, int] | None, names: Mapping[int, str]) -> dict[str, int] | None:
    """Counts keyed by id as counts by name, largest first (JSON in PostgreSQL keeps no order)."""
    if counts is None:
        return None
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return {names.get(int(key), UNKNOWN): count for key, count in ordered}


def containers_of(extras: Mapping[str, Any] | None) -> tuple[BigContainer, ...] | None:
    """The big containers kept in ``extras``; ``None`` where none were looked at."""
    items = (extras or {}).get("big_containers")
    return None if items is None else tuple(BigContainer.from_dict(item) for item in items)


def megabytes(kib: float | None) -> float | None:
    """KiB as MB."""
    return None if kib is None else kib / KIB_PER_MB


def _numbers(row: FiguresRow) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(row, column) for column, name in _PLAIN}
    for column, name, kept in _SCALED:
        value = getattr(row, column)
        values[name] = None if value is None else value / kept
    for _column, name in _ZEROS:
        values[name] = values[name] or 0.0
    values.update(_derived(values))
    return values


def _rest(row: FiguresRow, names: Mapping[int, str]) -> dict[str, Any]:
    """What is no number."""
    extras = row.extras or {}
    return {
        "timestamp": row.timestamp,
        "heap_limit_source": row.heap_limit_source or None,
        "gc_count": row.gc_count,
        "gc_threshold": row.gc_threshold,
        "top_objects": counts_by_name(row.counts, names),
        "type_sizes": counts_by_name(extras.get("type_sizes"), names),
        "backfill": counts_by_name(extras.get("backfill"), names),
        "big_containers": containers_of(extras),
        "rss_seconds": extras.get("rss_seconds"),
    }


def _derived(values: Mapping[str, Any]) -> dict[str, float | None]:
    """What follows from the columns and is therefore not kept."""
    size, used = values["heap_size_mb"], values["heap_used_mb"]
    committed, pymalloc = values["heap_committed_mb"], values["pymalloc_used_mb"]
    whole = size is not None and used is not None
    return {
        "heap_free_mb": size - used if whole else None,
        "heap_percent": used / size * 100 if whole and size else None,
        "fragmentation_percent": max(0.0, (committed - used) / committed * 100)
        if committed and used is not None
        else None,
        "malloc_used_mb": max(0.0, used - pymalloc) if used is not None and pymalloc is not None else None,
    }


def _by_id(counts: Mapping[str, int] | None, ids: Mapping[str, int]) -> dict[str, int] | None:
    return None if counts is None else {str(ids[name]): count for name, count in counts.items()}


def _sparse(container: BigContainer) -> dict[str, Any]:
    values = ((name, getattr(container, name)) for name in _CONTAINER)
    return {name: value for name, value in values if value is not None}
