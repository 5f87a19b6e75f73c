"""One snapshot of this process: every part measured, each part allowed to fail alone."""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TypeVar

from memwatch.records import MB, BigContainer, MemorySnapshot
from memwatch.sampling import walk
from memwatch.sampling.allocator import AllocatorFigures, Allocators
from memwatch.sampling.atomic import Headroom, native_lock, possible
from memwatch.sampling.budget import Budget
from memwatch.sampling.census import take_census
from memwatch.sampling.census.type_selection import ReportedTypes
from memwatch.sampling.container_scan import Look, look
from memwatch.sampling.container_tracker import BigContainers
from memwatch.sampling.isolation import tracemalloc
from memwatch.sampling.limits import LimitReader, Limits
from memwatch.sampling.mappings import Group, read_mappings
from memwatch.sampling.procmem import ProcessMemory, ResidentFigures, SharedFigures
from memwatch.sampling.type_names import TypeNames
from memwatch.sampling.usage import Usage, UsageFigures

logger = logging.getLogger(__name__)

SHARED_EVERY = 5
"""USS, PSS and swap are read with every fifth snapshot."""
SHARED_SLOW_S = 0.05
"""A read of them that took longer is not repeated for ten times as many snapshots."""

CHEAP_OBJECTS, CENSUS_OBJECTS, LOOK_OBJECTS, MAPPINGS_OBJECTS = 60, 150, 400, 80
"""gc-tracked objects that each part makes, about."""

_T = TypeVar("_T")
_NOTHING: dict[str, Any] = {}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Sampler:
    """Takes the snapshots of this process. Use one per process; its baseline is its first census."""

    def __init__(
        self,
        *,
        top_objects_count: int = 20,
        growers_count: int = 30,
        heap_limit_mb: float | None = None,
        cpu_share_budget: float = 0.005,
        pause_budget_ms: float = 50.0,
        around_walk: AbstractContextManager[object] | None = None,
        leaving: Callable[[], bool] = lambda: False,
        requests_handled: Callable[[], int | None] | None = None,
        tasks_handled: Callable[[], int | None] | None = None,
        memory: ProcessMemory | None = None,
        limits: LimitReader | None = None,
        allocators: Allocators | None = None,
        now: Callable[[], datetime] = _utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._names = TypeNames()
        self._reported = ReportedTypes(top=top_objects_count, growers=growers_count)
        self._containers = BigContainers(self._names)
        self._budget = Budget(cpu_share=cpu_share_budget, pause_ms=pause_budget_ms)
        self._around_walk, self._leaving = around_walk, leaving
        self._headroom = Headroom()
        self._memory, self._usage = memory or ProcessMemory(), Usage()
        self._limits = limits or LimitReader(setting_mb=heap_limit_mb)
        self._allocators = allocators or Allocators()
        self._requests_handled = requests_handled
        self._tasks_handled = tasks_handled
        self._now = now
        self._monotonic = monotonic
        self._mappings: dict[str, Group] | None = None
        """At the baseline; empty where the system does not tell."""
        self._snapshots = 0
        self._census_cpu_ms = 0.0
        """CPU milliseconds of the last census."""
        self._stopped = 0
        """Censuses in a row that were stopped half-way: the next one hurries."""
        self._shared_at = 0
        self._failed: set[str] = set()
        self._pid = os.getpid()
        self._lock = native_lock()

    def sample(self, *, census: bool | None = None, reader: str = "") -> MemorySnapshot:
        """Measure now. Blocks for some milliseconds, in any thread; one caller at a time.

        ``census``: count the objects (True), do not (False), or as the budget allows (None, the default).
        ``reader``: who keeps the snapshots, where several do; each gets the ``backfill`` of what is new to it.
        A part that fails is logged once and its figures are ``None``.
        """
        if os.getpid() != self._pid:  # a fork while another thread was sampling has left the lock taken
            self._pid, self._lock = os.getpid(), native_lock()
        with self._lock:
            return self._sample(census, reader)

    def reset_baseline(self) -> None:
        """Count growth from the latest census on (without one, from the next)."""
        with self._lock:
            self._reported.reset_baseline()
            self._containers.reset_baseline()
            self._mappings = None

    def baseline_counts(self) -> Mapping[str, int] | None:
        """Count by type name at the baseline; ``None`` before the first census."""
        with self._lock:
            return self._reported.baseline

    def baseline_mappings(self) -> Mapping[str, Group] | None:
        """Resident memory by what its mappings are for, at the baseline; ``None`` where that is not known."""
        with self._lock:
            return self._mappings or None

    def _sample(self, census: bool | None, reader: str) -> MemorySnapshot:
        self._headroom.ask(CHEAP_OBJECTS)
        timestamp, cpu = self._now(), time.thread_time()
        figures = self._cheap_figures()
        self._budget.earn(self._monotonic())
        wanted = self._budget.allows() if census is None else census
        if wanted and (walk.native() or possible()):
            hurry = min(self._stopped + (census is not None), len(walk.WITHIN_S) - 1)
            figures.update(self._part("census", self._look, _NOTHING, figures["allocated_blocks"] or 0, reader, hurry))
            if self._mappings is None:
                self._headroom.ask(MAPPINGS_OBJECTS)
                start = time.thread_time()
                self._mappings = self._part("mappings", read_mappings, None) or {}
                self._budget.charge(cpu_ms=(time.thread_time() - start) * 1e3, pause_ms=0.0)
        snapshot = MemorySnapshot(
            timestamp=timestamp, snapshot_cpu_ms=round((time.thread_time() - cpu) * 1e3, 3), **figures
        )
        self._snapshots += 1
        self._headroom.restore()
        return snapshot

    def _part(self, name: str, read: Callable[..., _T], otherwise: _T, *arguments: Any) -> _T:
        """``read(*arguments)``; ``otherwise`` when it raises, which is logged the first time."""
        try:
            return read(*arguments)
        except Exception:
            if name not in self._failed:
                self._failed.add(name)
                logger.exception("memwatch: sampling of %s fails; its figures stay empty", name)
            return otherwise

    def _cheap_figures(self) -> dict[str, Any]:
        blocks = self._part("blocks", sys.getallocatedblocks, None)
        allocators = self._part("allocators", self._allocators.read, AllocatorFigures())
        resident = self._part("resident memory", self._memory.resident, ResidentFigures())
        shared = self._part("shared memory", self._shared, SharedFigures())
        limits = self._part("limits", self._limits.read, Limits())
        collections = gc.get_stats()
        traced, peak = tracemalloc.get_traced_memory()
        return {
            **_heap(allocators, limits, resident.rss_mb),
            **resident._asdict(),
            **self._part("usage", self._usage.read, UsageFigures())._asdict(),
            **shared._asdict(),
            "cgroup_used_mb": limits.cgroup_used_mb,
            "cgroup_limit_mb": limits.cgroup_limit_mb,
            "allocated_blocks": blocks and blocks - self._own_blocks(),
            "tracemalloc_current_mb": traced / MB,
            "tracemalloc_peak_mb": peak / MB,
            "gc_count": gc.get_count(),
            "gc_threshold": gc.get_threshold(),
            "gc_collections_gen0": collections[0]["collections"],
            "gc_collections_gen1": collections[1]["collections"],
            "gc_collections_gen2": collections[2]["collections"],
            "requests_handled": self._requests_handled and self._part("requests", self._requests_handled, None),
            "tasks_handled": self._tasks_handled and self._part("tasks", self._tasks_handled, None),
        }

    def _shared(self) -> SharedFigures:
        """The shared figures when it is their turn, else nothing."""
        if self._snapshots < self._shared_at:
            return SharedFigures()
        start = time.perf_counter()
        figures = self._memory.shared()
        slow = time.perf_counter() - start > SHARED_SLOW_S
        self._shared_at = self._snapshots + SHARED_EVERY * (10 if slow else 1)
        return figures

    def _look(self, blocks: int, reader: str, hurry: int) -> dict[str, Any]:
        """The census, and the big containers: with a walk always, else when worth while and affordable."""
        self._headroom.ask(CENSUS_OBJECTS)
        start = time.thread_time()
        census = take_census(
            self._names,
            reserve=len(self._headroom),
            last_cpu_ms=self._census_cpu_ms,
            hurry=hurry,
            around=self._around_walk,
            leaving=self._leaving,
            ready=lambda objects: self._headroom.ask(CENSUS_OBJECTS + objects),
        )
        if census is None:
            self._stopped += 1
            self._budget.charge(cpu_ms=(time.thread_time() - start) * 1e3, pause_ms=0.0)
            return {}
        self._stopped = 0
        top_objects, backfill = self._reported.choose(census.counts, reader)
        figures: dict[str, Any] = {
            "total_objects": census.total,
            "top_objects": top_objects,
            "backfill": backfill,
            "census_pause_ms": census.pause_ms,
        }
        if census.seen is not None:
            figures.update(self._part("big containers", self._big_containers, _NOTHING, census.seen, blocks))
        self._census_cpu_ms = (time.thread_time() - start) * 1e3
        self._budget.charge(cpu_ms=self._census_cpu_ms, pause_ms=census.pause_ms)
        affordable = self._budget.allows(reserve=2 * self._census_cpu_ms / 1e3)
        if census.seen is None and self._containers.due(blocks) and (affordable or self._containers.overdue):
            figures.update(self._part("big containers", self._look_for_containers, _NOTHING, census.total, blocks))
            figures["census_pause_ms"] = max(census.pause_ms, self._containers.pause_ms)
        return figures

    def _look_for_containers(self, total: int, blocks: int) -> dict[str, Any]:
        self._headroom.ask(LOOK_OBJECTS)
        start = time.thread_time()
        figures = self._big_containers(look(total=total), blocks)
        self._budget.charge(cpu_ms=(time.thread_time() - start) * 1e3, pause_ms=self._containers.pause_ms)
        return figures

    def _big_containers(self, seen: Look, blocks: int) -> dict[str, Any]:
        own = self._names.own_containers()
        containers: tuple[BigContainer, ...] = self._containers.observe(seen, blocks=blocks, own=own)
        return {"big_containers": containers, "type_sizes": dict(self._containers.type_sizes)}

    def _own_blocks(self) -> int:
        """Blocks of memory that sampling keeps between snapshots: ids and names of types, counts, the reserve."""
        return 2 * len(self._names) + self._reported.own_blocks() + self._containers.own_blocks() + len(self._headroom)


def _heap(allocators: AllocatorFigures, limits: Limits, rss_mb: float | None) -> dict[str, Any]:
    """The heap's figures, by their definitions in :class:`MemorySnapshot`."""
    used, committed, size = allocators.used_mb, allocators.committed_mb, limits.limit_mb
    if committed is not None and rss_mb is not None:
        committed = min(committed, rss_mb)  # malloc counts pages that it has given back
    free_share = None
    if used is not None and committed:
        free_share = min(max((committed - used) / committed * 100, 0.0), 100.0)
    return {
        "heap_size_mb": size,
        "heap_limit_source": limits.source,
        "heap_used_mb": used,
        "heap_free_mb": size - used if used is not None and size else None,
        "heap_percent": used / size * 100 if used is not None and size else None,
        "heap_committed_mb": committed,
        "fragmentation_percent": free_share,
        "pymalloc_used_mb": allocators.pymalloc_used_mb,
        "malloc_used_mb": allocators.malloc_used_mb,
    }
