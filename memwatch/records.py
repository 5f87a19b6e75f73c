"""The values memwatch speaks of: a snapshot, a leak, a drift report, the metrics of now.

All are frozen, keyword-only dataclasses whose ``to_dict()`` is accepted by :func:`json.dumps` as it is and whose
``from_dict()`` is its inverse. Units: ``_mb`` is 1024 x 1024 bytes, ``_ms`` milliseconds, ``_percent`` 0 to 100.
Times are timezone-aware; a naive one is refused. What was not measured is ``None``, never 0.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

MB = 1024 * 1024
KIB_PER_MB = 1024

SEVERITIES = ("low", "medium", "high", "critical")
"""From mildest to worst."""


def _aware(name: str, value: object) -> datetime:
    if not isinstance(value, datetime):
        raise ValueError(f"{name} is {value!r}: give a timezone-aware datetime, e.g. datetime.now(timezone.utc)")
    if value.tzinfo is None:
        raise ValueError(f"{name} is {value.isoformat()}, without a time zone: give e.g. datetime.now(timezone.utc)")
    return value


def parse_time(name: str, value: object) -> datetime:
    """An aware datetime of an ISO 8601 text with zone (or of itself); :class:`ValueError` says what is wrong."""
    if not isinstance(value, str):
        return _aware(name, value)
    try:
        return _aware(name, datetime.fromisoformat(value))
    except ValueError:
        shown = value[:60]
        raise ValueError(f"{name} is {shown!r}: give ISO 8601 with zone, e.g. 2026-01-31T12:00:00+00:00") from None


_SCALARS = frozenset({type(None), bool, int, float, str})


def _plain(value: Any) -> Any:
    """The JSON form of a field: times as ISO 8601, tuples as lists, mappings copied."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name, _ in _attributes(type(value))}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@functools.cache
def _attributes(cls: type) -> tuple[tuple[str, bool], ...]:
    """Each attribute's name and whether it must be given."""
    missing = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return tuple([(field.name, field.default is missing and field.default_factory is missing) for field in fields])


class _Figures:
    """``to_dict`` and ``from_dict`` for the dataclasses of this module."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Every attribute by name, JSON-ready."""
        of: type = type(self)
        return {name: _plain(getattr(self, name)) for name, _ in _attributes(of)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`. Unknown keys are ignored, so that two versions can talk.

        Raises :class:`ValueError` for a required key that is missing or a time that is no time.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"{cls.__name__} wants a mapping, got {type(values).__name__}")
        known = {}
        for name, required in _attributes(cls):  # type: ignore[arg-type]
            if name in values:
                known[name] = cls._field_from(name, values[name])
            elif required:
                raise ValueError(f"{cls.__name__} lacks {name!r}")
        return cls(**known)

    @classmethod
    def _field_from(cls, name: str, value: Any) -> Any:
        if value is not None and (name.endswith(("timestamp", "_time", "_at"))):
            return parse_time(name, value)
        return value


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BigContainer(_Figures):
    """An exact built-in container with many entries, as the census saw it."""

    type: str
    """``list``, ``dict``, ``set``, ``tuple``, ``deque`` or ``bytearray``."""
    length: int
    """Number of entries."""
    holds: str | None = None
    """The type of most of up to 50 sampled entries, e.g. ``bytes``; ``None`` when not sampled."""
    token: int | None = None
    """The same for the same container from snapshot to snapshot of one process (its address); no meaning elsewhere."""
    name: str | None = None
    """Where it lives, e.g. ``shop.leaks.FRAGMENTS``, when it is a module-level name; ``None`` when unknown."""
    entry_bytes: float | None = None
    """Mean size of the sampled entries in bytes; ``None`` when not sampled."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MemorySnapshot(_Figures):
    """The figures of one process at one time."""

    timestamp: datetime
    """When it was taken, timezone-aware."""

    heap_size_mb: float | None = None
    """The ceiling the process can grow to; ``heap_limit_source`` says whose."""
    heap_limit_source: str | None = None
    """``setting``, ``cgroup``, ``rlimit`` or ``host``."""
    heap_used_mb: float | None = None
    """Bytes in live blocks of both allocators (pymalloc in allocated blocks + malloc ``uordblks`` + ``hblkhd``)."""
    heap_free_mb: float | None = None
    """``heap_size_mb - heap_used_mb``."""
    heap_percent: float | None = None
    """``heap_used_mb / heap_size_mb * 100``."""
    heap_committed_mb: float | None = None
    """What both allocators took from the system, clamped by RSS."""
    fragmentation_percent: float | None = None
    """The share of ``heap_committed_mb`` that is free."""
    pymalloc_used_mb: float | None = None
    """pymalloc's part of ``heap_used_mb``: objects up to 512 bytes."""
    malloc_used_mb: float | None = None
    """malloc's part of ``heap_used_mb``: large objects and extension modules."""

    rss_mb: float | None = None
    """Resident set size."""
    vms_mb: float | None = None
    """Virtual memory size."""
    uss_mb: float | None = None
    """Memory unique to the process; every fifth snapshot, else ``None``."""
    pss_mb: float | None = None
    """Memory with shared pages divided among their users; every fifth snapshot, else ``None``."""
    swap_mb: float | None = None
    """Memory swapped out; every fifth snapshot, else ``None``."""
    cgroup_used_mb: float | None = None
    """Working set of the container the process lives in (current - inactive file); shared with its neighbours."""
    cgroup_limit_mb: float | None = None
    """Limit of that container: the smallest of all its ancestors; ``None`` when unlimited."""

    total_objects: int | None = None
    """gc-tracked objects."""
    top_objects: Mapping[str, int] | None = None
    """Counts by type name, largest first: the top N, the largest growers since the baseline, those once reported."""
    backfill: Mapping[str, int] | None = None
    """Counts *at the process's baseline* of the types that this snapshot reports for the first time."""
    type_sizes: Mapping[str, int] | None = None
    """Sampled mean shallow size in bytes per reported type, exact built-in types only."""
    big_containers: tuple[BigContainer, ...] | None = None
    """Exact built-in containers with at least 1,000 entries, or 250 and growing; fastest growing and largest first."""
    allocated_blocks: int | None = None
    """``sys.getallocatedblocks()`` less the observer's own: rises when untracked objects pile up."""

    tracemalloc_current_mb: float = 0.0
    """Traced memory; 0 when tracing is off."""
    tracemalloc_peak_mb: float = 0.0
    """Peak of traced memory; 0 when tracing is off."""

    gc_count: tuple[int, int, int] | None = None
    """``gc.get_count()``."""
    gc_threshold: tuple[int, int, int] | None = None
    """``gc.get_threshold()``."""
    gc_collections_gen0: int | None = None
    """Collections of generation 0 since the process started (``gc.get_stats()``)."""
    gc_collections_gen1: int | None = None
    """The same for generation 1."""
    gc_collections_gen2: int | None = None
    """The same for generation 2."""

    requests_handled: int | None = None
    """HTTP requests since the process started; ``None`` where memwatch cannot count them."""
    tasks_handled: int | None = None
    """Celery tasks since the process started; ``None`` where memwatch cannot count them."""
    threads: int | None = None
    """Threads of the process."""

    census_pause_ms: float | None = None
    """Longest time the census kept the interpreter to itself; ``None`` when no census was taken."""
    snapshot_cpu_ms: float | None = None
    """CPU time of the whole snapshot."""

    def __post_init__(self) -> None:
        _aware("timestamp", self.timestamp)
        for name in ("gc_count", "gc_threshold"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, tuple):
                object.__setattr__(self, name, tuple(value))
        if self.big_containers is not None:
            containers = tuple(
                [
                    item if isinstance(item, BigContainer) else BigContainer.from_dict(item)
                    for item in self.big_containers
                ]
            )  # a tuple made of a generator would leave memory in the interpreter's free lists
            object.__setattr__(self, "big_containers", containers)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Leak(_Figures):
    """Memory that grows and is not given back."""

    object_type: str
    """Type name, or ``untracked`` / ``native`` for memory that is not gc-tracked objects."""
    initial_count: int
    """Count (objects), blocks (untracked) or KiB (native) at the start of the window."""
    current_count: int
    """The same at its end."""
    growth_count: int
    """``current_count - initial_count``."""
    growth_percent: float
    """``growth_count / initial_count * 100``; 100 when it started from nothing."""
    detection_time: datetime
    """When it was detected."""
    severity: str
    """``low``, ``medium``, ``high`` or ``critical``."""
    kind: str = "objects"
    """``objects``, ``untracked``, ``native`` or ``fragmentation``."""
    confidence: str = "medium"
    """``low``, ``medium`` or ``high``."""
    verdict: str = ""
    """One sentence for the operator."""
    evidence: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Every statistic and the rule that decided."""

    def __post_init__(self) -> None:
        _aware("detection_time", self.detection_time)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DriftReport(_Figures):
    """The difference of a snapshot from a baseline. What either side did not measure is ``None``."""

    baseline_timestamp: datetime
    current_timestamp: datetime
    heap_drift_mb: float | None
    heap_drift_percent: float | None
    object_drift: int | None
    object_drift_percent: float | None
    gc_frequency_change: float | None
    """Factor of generation-2 collections a second now against at the baseline; ``None`` before both are known."""
    significant_drifts: list[str] = dataclasses.field(default_factory=list)
    """One sentence for each figure or type that moved markedly."""
    rss_drift_mb: float | None = None
    rss_drift_percent: float | None = None
    type_drifts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Difference of the count of each type reported on both sides (0 omitted), largest growth first."""

    def __post_init__(self) -> None:
        _aware("baseline_timestamp", self.baseline_timestamp)
        _aware("current_timestamp", self.current_timestamp)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MemoryMetrics(_Figures):
    """The figures of now, for Prometheus."""

    heap_size_mb: float | None = None
    heap_used_mb: float | None = None
    heap_percent: float | None = None
    total_objects: int | None = None
    gc_collections_gen0: int | None = None
    gc_collections_gen1: int | None = None
    gc_collections_gen2: int | None = None
    tracemalloc_current_mb: float = 0.0
    tracemalloc_peak_mb: float = 0.0
    rss_mb: float | None = None
    vms_mb: float | None = None
    active_leaks: int = 0
    baseline_drift_percent: float | None = None
    """Drift of heap used from the baseline."""
