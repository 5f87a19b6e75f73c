"""Between rows and values: KiB and microseconds in the columns, MB and milliseconds in the values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from memwatch.models import Baseline, FiguresColumns, Snapshot
from memwatch.queries.object_types import UNKNOWN, names_of
from memwatch.records import KIB_PER_MB, BigContainer, MemorySnapshot

KIB_COLUMNS = {
    "heap_limit_kib": "heap_size_mb",
    "heap_used_kib": "heap_used_mb",
    "heap_committed_kib": "heap_committed_mb",
    "pymalloc_used_kib": "pymalloc_used_mb",
    "rss_kib": "rss_mb",
    "vms_kib": "vms_mb",
    "uss_kib": "uss_mb",
    "pss_kib": "pss_mb",
    "swap_kib": "swap_mb",
    "cgroup_used_kib": "cgroup_used_mb",
    "cgroup_limit_kib": "cgroup_limit_mb",
    "tracemalloc_current_kib": "tracemalloc_current_mb",
    "tracemalloc_peak_kib": "tracemalloc_peak_mb",
}
"""Column -> attribute of :class:`MemorySnapshot`, by 1024."""

MICROSECOND_COLUMNS = {"census_pause_us": "census_pause_ms", "snapshot_cpu_us": "snapshot_cpu_ms"}
"""Column -> attribute, by 1000."""

NOUGHT_COLUMNS = ("tracemalloc_current_kib", "tracemalloc_peak_kib")
"""Null in the row means 0 here, not unknown: nothing is traced in most processes, and null takes no room."""

PLAIN_COLUMNS = (
    "total_objects", "allocated_blocks", "gc_collections_gen0", "gc_collections_gen1", "gc_collections_gen2",
    "requests_handled", "tasks_handled", "threads",
)  # fmt: skip
"""The same in the column and the attribute."""

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
    values: dict[str, Any] = {name: getattr(snapshot, name) for name in PLAIN_COLUMNS}
    for column, name in KIB_COLUMNS.items():
        values[column] = _whole(getattr(snapshot, name), KIB_PER_MB)
    for column, name in MICROSECOND_COLUMNS.items():
        values[column] = _whole(getattr(snapshot, name), 1000)
    for column in NOUGHT_COLUMNS:
        values[column] = values[column] or None
    values["heap_limit_source"] = (snapshot.heap_limit_source or "")[:10]
    values["gc_count"] = None if snapshot.gc_count is None else list(snapshot.gc_count)
    values["gc_threshold"] = None if snapshot.gc_threshold is None else list(snapshot.gc_threshold)
    values["counts"] = _by_id(snapshot.top_objects, ids)
    extras = {name: _by_id(getattr(snapshot, name), ids) for name in _NAMED_EXTRAS if getattr(snapshot, name)}
    if snapshot.big_containers:
        extras["big_containers"] = [_sparse(item) for item in snapshot.big_containers]  # type: ignore[assignment]
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
    return [MemorySnapshot(**_sizes(row), **_rest(row, names)) for row in rows]


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


def _sizes(row: FiguresRow) -> dict[str, Any]:
    values: dict[str, Any] = {name: megabytes(getattr(row, column)) for column, name in KIB_COLUMNS.items()}
    for column in NOUGHT_COLUMNS:
        values[KIB_COLUMNS[column]] = values[KIB_COLUMNS[column]] or 0.0
    values.update(_derived(values))
    return {"timestamp": row.timestamp, "heap_limit_source": row.heap_limit_source or None, **values}


def _rest(row: FiguresRow, names: Mapping[int, str]) -> dict[str, Any]:
    """What is not a size."""
    values: dict[str, Any] = {name: getattr(row, name) for name in PLAIN_COLUMNS}
    for column, name in MICROSECOND_COLUMNS.items():
        value = getattr(row, column)
        values[name] = None if value is None else value / 1000
    extras = row.extras or {}
    return {
        **values,
        "gc_count": row.gc_count,
        "gc_threshold": row.gc_threshold,
        "top_objects": counts_by_name(row.counts, names),
        "type_sizes": counts_by_name(extras.get("type_sizes"), names),
        "backfill": counts_by_name(extras.get("backfill"), names),
        "big_containers": containers_of(extras),
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


def _whole(value: float | None, factor: int) -> int | None:
    return None if value is None else round(value * factor)


def _by_id(counts: Mapping[str, int] | None, ids: Mapping[str, int]) -> dict[str, int] | None:
    return None if counts is None else {str(ids[name]): count for name, count in counts.items()}


def _sparse(container: BigContainer) -> dict[str, Any]:
    values = ((name, getattr(container, name)) for name in _CONTAINER)
    return {name: value for name, value in values if value is not None}
