"""The values memwatch speaks of: a snapshot, a leak, a drift report, the metrics of now.

All are frozen, keyword-only dataclasses whose ``to_dict()`` is accepted by :func:`json.dumps` as it is and whose
``from_dict()`` is its inverse. Units: ``_mb`` is 1024 x 1024 bytes, ``_ms`` milliseconds, ``_percent`` 0 to 100.
Times are timezone-aware; a naive one is refused. What was not measured is ``None``, never 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from memwatch.records.figure import Unit, declared, figure
from memwatch.records.json_record import Record, aware
from memwatch.records.work import WorkFigures

if TYPE_CHECKING:
    from memwatch.records.conclusions import DriftReport, Leak, MemoryMetrics

__all__ = [
    "FIGURES", "KIB_PER_MB", "MB", "SEVERITIES", "BigContainer", "DriftReport", "Leak", "MemoryMetrics",
    "MemorySnapshot",
]  # fmt: skip

MB = 1024 * 1024
KIB_PER_MB = 1024

SEVERITIES = ("low", "medium", "high", "critical")
"""From mildest to worst."""

_FIFTH = "; read with every fifth snapshot"


def _collections(generation: int) -> Any:
    return figure(
        Unit.TOTAL, f"Collections of generation {generation} since the process started",
        label=f"Collections, generation {generation}", column=f"gc_collections_gen{generation}",
        reference_help=f"Gen {generation} GC count since the process started.", otel="cpython.gc.collections",
    )  # fmt: skip


def _cpu(mode: str) -> Any:
    return figure(
        Unit.SECONDS, f"CPU time of all threads in {mode} mode since the process started",
        label=f"CPU time, {mode}", column=f"cpu_{mode}_us", metric=f"process_cpu_{mode}_seconds_total",
        otel="process.cpu.time", otel_attributes=(("cpu.mode", mode),),
        otel_help="CPU time of all threads since the process started, by mode.",
    )  # fmt: skip


def _switches(kind: str, why: str) -> Any:
    return figure(
        Unit.TOTAL, f"{kind.capitalize()} context switches of all threads since the process started: {why}",
        label=f"Context switches, {kind}", hint=why, column=f"{kind}_switches",
        metric=f"process_{kind}_context_switches_total",
        otel="process.context_switches", otel_attributes=(("process.context_switch.type", kind),),
        otel_unit="{context_switch}",
        otel_help="Context switches of all threads since the process started, by type.",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class BigContainer(Record):
    """An exact built-in container with many entries, as the census saw it."""

    type: str
    """``list``, ``dict``, ``set``, ``tuple``, ``deque`` or ``bytearray``."""
    length: int
    """Number of entries."""
    holds: str | None = None
    """The type of most of up to 50 sampled entries, e.g. ``bytes``; ``None`` when not sampled."""
    token: int | None = None
    """The container's address: equal in all snapshots of one process for the same container; no meaning elsewhere."""
    name: str | None = None
    """Where it lives, e.g. ``shop.leaks.FRAGMENTS``, when it is a module-level name; ``None`` when unknown."""
    entry_bytes: float | None = None
    """Mean size of the sampled entries in bytes; ``None`` when not sampled."""

    @property
    def address(self) -> str:
        """``list at 0x7f2c5d1a8c40``: what it is called where it has no name; empty without a token."""
        return "" if self.token is None else f"{self.type} at {self.token:#x}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MemorySnapshot(Record):
    """The figures of one process at one time."""

    timestamp: datetime
    """When it was taken, timezone-aware."""

    # fmt: off
    rss_mb: float | None = figure(
        Unit.MB, "Resident memory (RSS)",
        label="Resident (RSS)", column="rss_kib",
        metric="process_resident_memory_bytes", metric_help="Resident memory.",
        reference_help="Resident Set Size in MB.", otel="process.memory.usage",
    )
    uss_mb: float | None = figure(
        Unit.MB, f"Memory that no other process shares (USS){_FIFTH}",
        label="Its own (USS)", hint="every fifth snapshot", column="uss_kib", metric="process_unique_memory_bytes",
    )
    pss_mb: float | None = figure(
        Unit.MB, f"Memory with shared pages divided by the number of processes that share them (PSS){_FIFTH}",
        label="Its share (PSS)", hint="every fifth snapshot", column="pss_kib",
        metric="process_proportional_memory_bytes",
    )
    swap_mb: float | None = figure(
        Unit.MB, f"Memory that was swapped out{_FIFTH}",
        label="Swapped out", hint="every fifth snapshot", column="swap_kib", metric="process_swap_bytes",
    )
    vms_mb: float | None = figure(
        Unit.MB, "Virtual memory", label="Virtual (VMS)", column="vms_kib", metric="process_virtual_memory_bytes",
        reference_help="Virtual Memory Size in MB.", otel="process.memory.virtual",
    )

    heap_used_mb: float | None = figure(
        Unit.MB, "Live blocks of both allocators, pymalloc and malloc",
        label="Heap used", hint="live blocks of both allocators", column="heap_used_kib",
        metric="heap_used_bytes", metric_help="Live blocks of both allocators.",
        reference_help="Used heap memory: live blocks of both allocators, in MB.",
    )
    """pymalloc in allocated blocks + malloc ``uordblks`` + ``hblkhd``."""
    pymalloc_used_mb: float | None = figure(
        Unit.MB, "pymalloc's part of heap_used_mb: blocks up to 512 bytes",
        label="Heap used by pymalloc", hint="objects up to 512 bytes", column="pymalloc_used_kib",
    )
    malloc_used_mb: float | None = figure(
        Unit.MB, "malloc's part of heap_used_mb: large objects and extension modules",
        label="Heap used by malloc", hint="large objects, extension modules",
    )
    heap_committed_mb: float | None = figure(
        Unit.MB, "Memory that both allocators took from the system, at most RSS",
        label="Heap committed", hint="taken from the system", column="heap_committed_kib",
        metric="heap_committed_bytes", metric_help="Memory that both allocators took from the system.",
    )
    fragmentation_percent: float | None = figure(
        Unit.PERCENT, "Share of heap_committed_mb that is free", label="Fragmentation", hint="committed, free",
        metric="heap_fragmentation_ratio", metric_help="Share of the committed heap that is free, 0 to 1.",
    )
    heap_size_mb: float | None = figure(
        Unit.MB, "Limit of the process: the setting HEAP_LIMIT_MB, or else the smallest of the container's limit, the "
        "rlimits and the host's memory",
        label="Limit", column="heap_limit_kib",
        metric="heap_limit_bytes", metric_help="Limit that the process can grow to.",
        reference_help="Total heap size: the limit that the process can grow to, in MB of 1024*1024 bytes.",
    )
    heap_limit_source: str | None = figure(Unit.NONE, "Source of heap_size_mb: setting, cgroup, rlimit or host")
    heap_free_mb: float | None = figure(Unit.MB, "heap_size_mb minus heap_used_mb", compared=False)
    heap_percent: float | None = figure(
        Unit.PERCENT, "Share of heap_size_mb that is used", label="Heap of its limit",
        reference_help="Heap usage percentage: used of the total heap size.", otel="memwatch.heap_utilization",
    )
    cgroup_used_mb: float | None = figure(
        Unit.MB, "Working set of the process's container",
        label="Container used", hint="working set, shared", column="cgroup_used_kib",
        metric="container_working_set_bytes",
    )
    """Current less inactive file."""
    cgroup_limit_mb: float | None = figure(
        Unit.MB, "Memory limit of the process's container",
        label="Container limit", column="cgroup_limit_kib", metric="container_limit_bytes",
    )
    """The smallest of all its ancestors; ``None`` when unlimited."""

    total_objects: int | None = figure(
        Unit.COUNT, "Objects that the garbage collector tracks; null if the budget allowed no census",
        label="Objects", hint="tracked by gc", column="total_objects",
        reference_help="Total object count: objects tracked by the garbage collector.",
    )
    top_objects: Mapping[str, int] | None = figure(
        Unit.NONE, "Objects by type: the largest types, those that grew most since the baseline, those reported before"
    )
    backfill: Mapping[str, int] | None = figure(
        Unit.NONE, "Numbers at the baseline of the types that this snapshot reports for the first time"
    )
    type_sizes: Mapping[str, int] | None = figure(
        Unit.NONE, "Mean size in bytes by built-in type, from a sample, without referenced objects"
    )
    big_containers: tuple[BigContainer, ...] | None = figure(
        Unit.NONE, "Built-in containers with at least 1,000 entries, or 250 and growing: what they hold, and their name"
    )
    """The fastest growing and largest first."""
    allocated_blocks: int | None = figure(
        Unit.COUNT, "Allocated memory blocks; these also rise when untracked objects pile up",
        label="Allocated blocks", column="allocated_blocks", metric="allocated_blocks",
    )
    """``sys.getallocatedblocks()`` less the observer's own."""

    gc_collections_gen0: int | None = _collections(0)
    gc_collections_gen1: int | None = _collections(1)
    gc_collections_gen2: int | None = _collections(2)
    gc_threshold: tuple[int, int, int] | None = figure(Unit.NONE, "gc.get_threshold()", label="Collector's thresholds")
    gc_count: tuple[int, int, int] | None = figure(Unit.NONE, "gc.get_count()")

    requests_handled: int | None = figure(
        Unit.TOTAL, "HTTP requests handled since the process started",
        label="Requests handled", column="requests_handled", metric="requests_handled_total",
    )
    """``None`` where memwatch cannot count them."""
    tasks_handled: int | None = figure(
        Unit.TOTAL, "Celery tasks handled since the process started",
        label="Tasks handled", column="tasks_handled", metric="tasks_handled_total",
    )
    """``None`` where memwatch cannot count them."""
    job_names: int | None = figure(
        Unit.TOTAL, "Different views, tasks and commands that were called since the process started",
        label="Names of jobs", column="job_names",
    )
    """``None`` where jobs are not measured. Bounded as the names are."""
    work: tuple[WorkFigures, ...] | None = figure(
        Unit.NONE, "Views, tasks and commands that ended since the snapshot before: calls, time, memory kept and peaks"
    )
    rss_seconds: tuple[tuple[float, float], ...] | None = figure(
        Unit.NONE, "Resident memory once a second, while the limit was near: seconds before the snapshot, and MB"
    )
    threads: int | None = figure(
        Unit.COUNT, "Threads of the process, including the agent's",
        label="Threads", column="threads", small=True, metric="process_threads", metric_help="Threads of the process.",
        otel="process.thread.count",
    )
    page_faults: int | None = figure(
        Unit.TOTAL, "Major page faults since the process started: pages read from disk or swap",
        label="Major page faults", hint="read from disk or swap", column="page_faults",
        metric="process_major_page_faults_total",
        otel="process.paging.faults", otel_attributes=(("system.paging.fault.type", "major"),),
    )
    """``None`` without /proc."""
    cpu_user_s: float | None = _cpu("user")
    cpu_system_s: float | None = _cpu("system")
    open_files: int | None = figure(
        Unit.COUNT, "Open file descriptors: files, sockets, pipes",
        label="Open files", hint="file descriptors", column="open_files", small=True,
        metric="process_open_file_descriptors",
        otel="process.unix.file_descriptor.count", otel_unit="{file_descriptor}",
    )
    """``None`` for more than 100,000 on a Linux before 6.2, which cannot tell their number at once."""
    voluntary_switches: int | None = _switches("voluntary", "it waited")
    involuntary_switches: int | None = _switches("involuntary", "others wanted the CPU")

    census_pause_ms: float | None = figure(
        Unit.MS, "Longest time that the last census held the interpreter",
        label="Census' longest pause", column="census_pause_us", compared=False, metric="census_pause_seconds",
    )
    snapshot_cpu_ms: float | None = figure(
        Unit.MS, "CPU time that the snapshot took",
        label="CPU of this snapshot", column="snapshot_cpu_us", compared=False,
        metric="snapshot_cpu_seconds", metric_help="CPU time that the last snapshot took.",
    )
    tracemalloc_current_mb: float = figure(
        Unit.MB, "Traced memory; 0 when tracing is off", label="Traced", column="tracemalloc_current_kib", default=0.0,
        reference_help="Current traced memory in MB; 0 when tracing is off.",
    )
    tracemalloc_peak_mb: float = figure(
        Unit.MB, "Peak of traced memory; 0 when tracing is off", label="Traced, peak", column="tracemalloc_peak_kib",
        default=0.0,
        reference_help="Peak traced memory in MB; 0 when tracing is off.",
    )
    # fmt: on

    def __post_init__(self) -> None:
        aware("timestamp", self.timestamp)
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
        if self.rss_seconds is not None:
            object.__setattr__(self, "rss_seconds", tuple([(at, mb) for at, mb in self.rss_seconds]))
        if self.work is not None:
            work = tuple([item if isinstance(item, WorkFigures) else WorkFigures(*item) for item in self.work])
            object.__setattr__(self, "work", work)


FIGURES = declared(MemorySnapshot)
"""What each attribute of a snapshot is, by its name, in the order in which they are shown."""

if not TYPE_CHECKING:  # a type checker sees the imports above, and refuses any other name

    def __getattr__(name):
        """Conclusions on first use: processes that are only watched draw none."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from memwatch.records import conclusions  # noqa: PLC0415 - on first use

        return getattr(conclusions, name)
