"""The four kinds of series that are judged, made from the history of a process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import pairwise
from statistics import median

from memwatch.detection.history import History, known
from memwatch.records import KIB_PER_MB, BigContainer

UNTRACKED_ENTRIES = frozenset({"str", "bytes", "int", "float", "complex", "bool", "NoneType", "range", "bytearray"})
"""Types that the garbage collector does not track, as a container's ``holds`` has them."""

SOMETIMES_UNTRACKED = frozenset({"tuple", "dict"})
"""Types that the collector stops tracking, or never starts to, while they hold only such values."""

SHARED_ENTRIES = frozenset({"int", "bool", "NoneType"})
"""Types of which many entries may share one object."""

JUDGED_ENTRIES = 1_000
"""A smaller container may belong to any cache: it is evidence for another leak, and no leak of its own."""

SMALL_BYTES = 512
"""Largest object of pymalloc; malloc holds larger ones, which are in no count of blocks."""

MALLOC = "malloc_used_mb"
"""The source of a series of malloc's memory in use."""

TOUCHED_SHARE = (0.5, 1.5)
"""Least and most growth of resident memory, as a share of malloc's, that is taken for the same memory."""

BLOCKS_PER_OBJECT = (1.0, 4.0)
"""A tracked object has at least its own block; one with a ``__dict__`` and a few own values has about four."""


@dataclass(frozen=True, slots=True)
class Series:
    """One figure that may grow, without gaps."""

    kind: str
    """``objects``, ``untracked``, ``native`` or ``fragmentation``."""
    name: str
    """The type name, or the kind."""
    times: Sequence[float]
    values: Sequence[float]
    unit: str = "objects"
    """``objects``, ``blocks``, ``entries`` or ``KiB``."""
    source: str = ""
    """The figure it was made from, for the evidence."""
    container: BigContainer | None = None
    """The container whose length this is, as last seen."""
    work: Sequence[float] | None = field(default=None, repr=False)
    """Requests and tasks handled at each point, where known."""
    kept: int = 0
    """Objects subtracted from the last value, because the snapshots themselves hold them."""

    @property
    def growth(self) -> float:
        return self.values[-1] - self.values[0]


def object_series(history: History) -> Iterator[Series]:
    """The count of each reported type."""
    work = history.work()
    for name, column in history.counts.items():
        each = history.kept_each.get(name, 0)
        if each and any(value is not None for value in column):
            yield _less_kept(history, name, column, each)
            continue
        if None not in column:
            yield Series("objects", name, history.times, column, source="top_objects", work=work)  # type: ignore[arg-type]
            continue
        times, values = known(history.times, column)
        if values:
            yield Series("objects", name, times, values, source="top_objects", work=_work_at(history, work, column))


def _less_kept(history: History, name: str, column: Sequence[float | None], each: int) -> Series:
    less = [None if value is None else max(0, value - each * i) for i, value in enumerate(column)]
    times, values = known(history.times, less)
    last = next((value for value in reversed(column) if value is not None), 0)
    work = _work_at(history, history.work(), column)
    return Series("objects", name, times, values, source="top_objects", work=work, kept=round(last - values[-1]))


def _work_at(history: History, work: Sequence[float] | None, column: Sequence[float | None]) -> list[float] | None:
    if work is None:
        return None
    return [done for done, value in zip(work, column, strict=True) if value is not None]


def container_series(history: History) -> Iterator[Series]:
    """The length of each big container whose entries the garbage collector does not see."""
    seen: dict[tuple[str, object], list[tuple[float, float]]] = defaultdict(list)
    latest: dict[tuple[str, object], BigContainer] = {}
    for time, containers in zip(history.times, history.containers, strict=False):
        for container in containers or ():
            where = container.name or container.token
            if where is not None and holds_untracked(container):
                key: tuple[str, object] = (container.type, where)
                seen[key].append((time, float(container.length)))
                latest[key] = container
    for key, points in seen.items():
        if len(points) > 1 and points[-1][1] > points[0][1] and points[-1][1] >= JUDGED_ENTRIES:
            times, values = [time for time, _ in points], [value for _, value in points]
            yield Series("untracked", "untracked", times, values, "entries", "big_containers", latest[key])


def holds_untracked(container: BigContainer) -> bool:
    """Whether its entries are of a type that the garbage collector does not track, or not always."""
    return container.type == "bytearray" or container.holds in UNTRACKED_ENTRIES | SOMETIMES_UNTRACKED


def takes_blocks(container: BigContainer) -> bool:
    """Whether each entry is a small object of its own: not shared by the interpreter, nor large enough for malloc."""
    own = container.holds in UNTRACKED_ENTRIES - SHARED_ENTRIES or container.holds in SOMETIMES_UNTRACKED
    return own and container.type != "bytearray" and (container.entry_bytes or 0.0) <= SMALL_BYTES


def residual_blocks(history: History) -> Series | None:
    """Allocated blocks minus those of tracked objects; ``None`` where either was not counted."""
    rows = [
        (time, blocks, objects)
        for time, blocks, objects in zip(
            history.times, history.figure("allocated_blocks"), history.figure("total_objects"), strict=True
        )
        if blocks is not None and objects is not None
    ]
    if len(rows) < 3:
        return None
    share = _blocks_per_object([(b[1] - a[1], b[2] - a[2]) for a, b in pairwise(rows)])
    first = rows[0][2]
    values = [blocks - share * (objects - first) for _, blocks, objects in rows]
    return Series("untracked", "untracked", [row[0] for row in rows], values, "blocks", "allocated_blocks")


def _blocks_per_object(steps: Sequence[tuple[float, float]]) -> float:
    """From steps of blocks and of tracked objects.

    Where objects come and go, by least squares about the usual step: what leaks all the while is in that, and objects
    that the collector merely stops to track take no blocks with them. Where they grow steadily, the median ratio of
    the larger half of the steps.
    """
    low, high = BLOCKS_PER_OBJECT
    usual = median(objects for _, objects in steps)
    spread = sum((objects - usual) ** 2 for _, objects in steps)
    if spread > len(steps) * usual**2:
        level = median(blocks for blocks, _ in steps)
        together = sum((blocks - level) * (objects - usual) for blocks, objects in steps)
        return min(high, max(0.0, together / spread))
    larger = sorted(steps, key=lambda step: -abs(step[1]))[: (len(steps) + 1) // 2]
    ratios = [blocks / objects for blocks, objects in larger if objects]
    return min(high, max(low, median(ratios))) if ratios else low


def malloc_kib(history: History) -> Series | None:
    """malloc's memory in use: large objects and what extension modules hold."""
    times, values = history.known(MALLOC)
    if len(values) < 3:
        return None
    return Series("native", "native", times, [value * KIB_PER_MB for value in values], "KiB", MALLOC)


def beyond_allocators_kib(history: History) -> Series | None:
    """Resident memory that neither allocator took: what extension modules map themselves."""
    column = [
        None if rss is None or committed is None else (rss - committed) * KIB_PER_MB
        for rss, committed in zip(history.figure("rss_mb"), history.figure("heap_committed_mb"), strict=True)
    ]
    times, values = known(history.times, column)
    return Series("native", "native", times, values, "KiB", "rss_mb - heap_committed_mb") if len(values) > 2 else None


def between_jumps_kib(history: History, malloc: Series, jumps: int) -> Series | None:
    """Resident memory without the interpreter's small objects, its largest steps cut to the median of the others.

    A library that takes pools of growing size makes stairs of malloc's memory in use; the kernel gives it the pages of
    a pool one by one, so that what is resident rises all the while. Where that is half of malloc's growth, it is scaled
    to all of it. ``None`` where the two did not grow alike.
    """
    column = [
        None if rss is None or small is None else (rss - small) * KIB_PER_MB
        for rss, small in zip(history.figure("rss_mb"), history.figure("pymalloc_used_mb"), strict=True)
    ]
    times, values = known(history.times, column)
    if len(values) <= jumps + 1:
        return None
    least, most = (share * malloc.growth for share in TOUCHED_SHARE)
    if not least <= values[-1] - values[0] <= most:
        return None
    steps = [after - before for before, after in pairwise(values)]
    largest = set(nlargest(jumps, range(len(steps)), key=steps.__getitem__))
    usual = max(0.0, median(step for number, step in enumerate(steps) if number not in largest))
    joined = [values[0]]
    for number, step in enumerate(steps):
        joined.append(joined[-1] + (usual if number in largest else step))
    if joined[-1] - joined[0] >= least:
        whole = malloc.growth / (joined[-1] - joined[0])
        joined = [malloc.values[0] + (value - joined[0]) * whole for value in joined]
    return Series("native", "native", times, joined, "KiB", "rss_mb - pymalloc_used_mb")


def committed_kib(history: History) -> Series | None:
    """What the allocators took from the system."""
    times, values = history.known("heap_committed_mb")
    if len(values) < 3:
        return None
    values = [value * KIB_PER_MB for value in values]
    return Series("fragmentation", "fragmentation", times, values, "KiB", "heap_committed_mb")
