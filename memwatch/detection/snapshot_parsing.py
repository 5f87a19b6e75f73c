"""Reads the snapshots of a caller, objects or dicts, figure by figure, and refuses anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from memwatch.records import BigContainer, MemorySnapshot
from memwatch.records.json_record import parse_time

FIGURES = (
    "heap_size_mb", "heap_used_mb", "heap_committed_mb", "pymalloc_used_mb", "malloc_used_mb", "rss_mb", "uss_mb",
    "cgroup_used_mb", "cgroup_limit_mb", "total_objects", "allocated_blocks", "gc_collections_gen0",
    "gc_collections_gen1", "gc_collections_gen2", "requests_handled", "tasks_handled", "job_names",
)  # fmt: skip
"""The figures that are read, by the attribute of :class:`memwatch.records.MemorySnapshot`."""

MOST = 1e15
"""No process has so many megabytes or objects; below it whole numbers and their sums are exact as floats."""

BLOCKS_PER_SNAPSHOT, BLOCKS_PER_CONTAINER, SHARED_INTEGERS = 40, 5, 256
"""Blocks of a snapshot's own fields and of an entry of ``big_containers``; each count is one more, unless it is small
enough for the interpreter to share it."""


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one snapshot that the rules read."""

    time: float
    """Seconds since the epoch."""
    figures: Mapping[str, float]
    """Those that were measured."""
    counts: Mapping[str, int] | None
    backfill: Mapping[str, int]
    containers: tuple[BigContainer, ...] | None
    limit_source: str | None

    @property
    def own_blocks(self) -> int:
        """Blocks of memory of the snapshot itself, where a caller keeps it."""
        counts = sum(map(SHARED_INTEGERS.__lt__, self.counts.values())) if self.counts is not None else 0
        return BLOCKS_PER_SNAPSHOT + counts + BLOCKS_PER_CONTAINER * len(self.containers or ())

    @classmethod
    def of(cls, snapshot: MemorySnapshot | Mapping[str, Any]) -> Row:
        """Read one. Raises :class:`ValueError` that names the figure, for what is no snapshot."""
        get: Callable[[str], Any]
        if isinstance(snapshot, MemorySnapshot):
            get = partial(getattr, snapshot)
        elif isinstance(snapshot, Mapping):
            get = snapshot.get
        else:
            raise ValueError(f"a {type(snapshot).__name__} is no snapshot: give MemorySnapshots or their to_dict()")
        when: datetime = parse_time("timestamp", get("timestamp"))
        counts = get("top_objects")
        containers = get("big_containers")
        source = get("heap_limit_source")
        return cls(
            time=when.timestamp(),
            figures={name: _figure(name, value) for name in FIGURES if (value := get(name)) is not None},
            counts=None if counts is None else _counts("top_objects", counts),
            backfill=_counts("backfill", get("backfill") or {}),
            containers=None if containers is None else _containers(containers),
            limit_source=source if isinstance(source, str) else None,
        )


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= MOST


def _figure(name: str, value: Any) -> float:
    if _is_number(value):
        return float(value)
    raise ValueError(f"{name} is {_shown(value)}: give a finite number from 0 up, or None for not measured")


def _counts(name: str, counts: Any) -> Mapping[str, int]:
    if not isinstance(counts, Mapping):
        raise ValueError(f"{name} is a {type(counts).__name__}: give a mapping from type name to count")
    for type_name, count in counts.items():
        if not isinstance(type_name, str):
            raise ValueError(f"{name} has the key {str(type_name)[:40]!r}: type names are text")
        if not _is_number(count):
            raise ValueError(f"{name}[{type_name[:60]!r}] is {_shown(count)}: counts are whole numbers from 0 up")
    return counts


def _containers(given: Any) -> tuple[BigContainer, ...]:
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ValueError(f"big_containers is a {type(given).__name__}: give a list of BigContainers or their dicts")
    return tuple(map(_container, given))


def _container(value: Any) -> BigContainer:
    container = value if isinstance(value, BigContainer) else BigContainer.from_dict(value)
    for name, number in (("length", container.length), ("entry_bytes", container.entry_bytes or 0)):
        if not _is_number(number):
            raise ValueError(f"{name} of a container is {_shown(number)}: give a number from 0 up")
    texts = (("type", container.type), ("holds", container.holds or ""), ("name", container.name or ""))
    for name, text in texts:
        if not isinstance(text, str):
            raise ValueError(f"{name} of a container is {_shown(text)}: give text")
    if container.token is not None and not isinstance(container.token, int):
        raise ValueError(f"token of a container is {_shown(container.token)}: give a whole number")
    return container


def _shown(value: Any) -> str:
    """Enough of a value to find it; a number of thousands of digits is not written out."""
    if isinstance(value, int) and abs(value) > MOST:
        return "beyond all measure"
    return str(value)[:40]
