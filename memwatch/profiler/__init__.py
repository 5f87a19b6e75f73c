"""The profiler of one process, for asyncio: snapshots, leaks, drift, callbacks. No database, no Django."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import tracemalloc
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from memwatch import agent, detection
from memwatch.profiler.alerts import AlertCallback, Announcer, LeakCallback, findings
from memwatch.profiler.found import FoundLeaks
from memwatch.profiler.looks import HeapLooks, of_this_process
from memwatch.profiler.thread import OwnThread
from memwatch.records import DriftReport, Leak, MemoryMetrics, MemorySnapshot
from memwatch.sampling import Sampler
from memwatch.sampling.identity import extension_modules, started_at
from memwatch.sampling.snapshot_ring import KeptSnapshots

logger = logging.getLogger(__name__)

JUDGED_S = 3600.0
"""How far back the running profiler looks for leaks."""
JUDGED_SNAPSHOTS = 240
"""And at how many snapshots, evenly spread."""


class MemoryProfiler:
    """Watches the memory of the process it lives in.

    Sampling runs in a thread of its own: the event loop waits no longer than one census holds the interpreter.
    The newest 1,000 snapshots are kept. Use it from one event loop at a time; it survives a fork (as stopped).
    """

    def __init__(
        self, snapshot_interval: float = 60.0, enable_tracemalloc: bool = False, top_objects_count: int = 20
    ) -> None:
        """``snapshot_interval``: seconds. ``enable_tracemalloc``: trace while running; it slows Python several times.

        ``top_objects_count``: the most numerous types a snapshot reports, beside those that grow most.
        Raises :class:`ValueError` for an interval or a count that is not above 0.
        """
        if not snapshot_interval > 0:
            raise ValueError(f"snapshot_interval is {snapshot_interval!r}: give seconds above 0, e.g. 60")
        if top_objects_count < 1:
            raise ValueError(f"top_objects_count is {top_objects_count!r}: give a number from 1 up, e.g. 20")
        self.snapshot_interval = snapshot_interval
        self.enable_tracemalloc = enable_tracemalloc
        self.top_objects_count = top_objects_count
        self.heap_warning_percent = 80.0
        self.heap_critical_percent = 90.0
        self.growth_rate_warning = 10.0
        """Percent of the heap's floor an hour."""
        self.gc_spike_threshold = 2.0
        """Times the collections a second of before."""
        self.leak_min_growth_percent = 50.0
        self.leak_min_growth_count = 100
        self._own_sampler: Sampler | None = None
        self._shares_agent = False
        self._kept = KeptSnapshots()
        self._latest: MemorySnapshot | None = None
        self._baseline: MemorySnapshot | None = None
        self._leaks = FoundLeaks()
        self._looks = HeapLooks()
        self._announcer = Announcer()
        self._task: asyncio.Task[None] | None = None
        self._thread = OwnThread()
        self._pid = os.getpid()
        """The process that the task belongs to."""
        self._started_tracing = False
        self._taken = self._failures = 0

    @property
    def is_running(self) -> bool:
        """Whether snapshots are being taken every ``snapshot_interval`` seconds."""
        return self._task is not None and not self._task.done() and self._pid == os.getpid()

    async def start_memory_profiler(self) -> None:
        """Take the baseline snapshot, then one every ``snapshot_interval`` seconds. Again while running: nothing."""
        self._notice_fork()
        if self.is_running:
            return
        if self.enable_tracemalloc and not tracemalloc.is_tracing():
            tracemalloc.start()
            self._started_tracing = True
        self._task = asyncio.create_task(self._run(), name="memwatch profiler")
        try:
            self._set_baseline(await self.take_snapshot())
        except BaseException:
            await self.stop_memory_profiler()
            raise

    async def stop_memory_profiler(self) -> None:
        """End what :meth:`start_memory_profiler` began. What was kept stays. Without a start: nothing."""
        self._notice_fork()
        task, self._task = self._task, None
        if task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            if task is not asyncio.current_task():  # which it is when a callback stops its profiler
                await asyncio.wait((task,))
        if self._started_tracing:
            tracemalloc.stop()
            self._started_tracing = False
        await self._thread.end()

    def _notice_fork(self) -> None:
        """A forked child has not its parent's event loop."""
        if self._pid != os.getpid():
            self._pid, self._task = os.getpid(), None

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + self.snapshot_interval, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            try:
                await self._observe(census=None)
                await self._judge_recent()
            except Exception:
                self._failures += 1
                logger.exception("memwatch: the profiler's snapshot failed; it goes on with the next")

    # Snapshots

    @property
    def _sampler(self) -> Sampler:
        """The agent's where this profiler shares it and one runs, else this profiler's own."""
        running = agent.current() if self._shares_agent else None
        if running is not None:
            shared: Sampler = running.sampler
            return shared
        if self._own_sampler is None:
            self._own_sampler = Sampler(top_objects_count=self.top_objects_count)
        return self._own_sampler

    async def take_snapshot(self) -> MemorySnapshot:
        """Take a snapshot now, with a census whatever the budget says, and keep it. The first is the baseline."""
        return await self._observe(census=True)

    async def _observe(self, *, census: bool | None) -> MemorySnapshot:
        snapshot = await self._thread.run(lambda: self._sample(census))
        over = findings(
            snapshot,
            self._kept,
            heap_warning=self.heap_warning_percent,
            heap_critical=self.heap_critical_percent,
            growth_rate=self.growth_rate_warning,
            gc_spike=self.gc_spike_threshold,
            raised=self._announcer.raised,
        )
        await self._announcer.now(over)
        return snapshot

    def _sample(self, census: bool | None) -> MemorySnapshot:
        """In the profiler's thread."""
        snapshot = self._sampler.sample(census=census, reader=f"profiler {id(self)}")
        self._kept.add(snapshot)
        self._latest = snapshot
        self._baseline = self._baseline or snapshot
        self._taken += 1
        return snapshot

    def get_snapshots(self, count: int | None = None) -> list[dict[str, Any]]:
        """The newest ``count`` of the kept snapshots (all of them), as dicts, oldest first."""
        return self._kept.dicts(count)

    # Leaks

    async def detect_leaks(self, snapshots: Iterable[MemorySnapshot | Mapping[str, Any]] | None = None) -> list[Leak]:
        """Leaks in ``snapshots`` (or their dicts, as :meth:`get_snapshots` gives them), else in all that are kept.

        Native growth names the extension modules that are loaded in this process. Leaks are remembered
        (:meth:`get_detected_leaks`), and callbacks get each one that is new or has become worse. Raises
        :class:`ValueError` for what is no snapshot.
        """
        thresholds = detection.Thresholds(
            min_growth_percent=self.leak_min_growth_percent, min_growth_count=self.leak_min_growth_count
        )
        given = None if snapshots is None else list(snapshots)
        leaks = await self._thread.run(lambda: self._found(given, thresholds))
        for leak in self._leaks.news(leaks):
            await self._announcer.leak(leak, threshold=self.leak_min_growth_percent)
        return leaks

    def _found(
        self, given: list[MemorySnapshot | Mapping[str, Any]] | None, thresholds: detection.Thresholds
    ) -> list[Leak]:
        """In the profiler's thread. Growth of this process is called a leak after a look at its heap."""
        kept = self._kept.dicts()
        leaks = detection.detect_leaks(
            kept if given is None else given, thresholds=thresholds, extension_modules=extension_modules()
        )
        if not leaks or not (given is None or of_this_process(given, self._latest)):
            return leaks
        return self._looks.confirmed(leaks, self._baseline)

    async def _judge_recent(self) -> None:
        since = time.time() - JUDGED_S
        await self.detect_leaks(await self._thread.run(lambda: self._kept.dicts(since=since, at_most=JUDGED_SNAPSHOTS)))

    def get_detected_leaks(self) -> list[dict[str, Any]]:
        """Every leak detected so far, as dicts, each as it was last seen."""
        return [leak.to_dict() for leak in self._leaks.known()]

    def get_active_leaks(self) -> list[dict[str, Any]]:
        """Those of them that the last look at the snapshots found."""
        return [leak.to_dict() for leak in self._leaks.active()]

    def clear_detected_leaks(self) -> None:
        """Forget the leaks detected so far; one that is found again is announced again."""
        self._leaks.clear()

    # Baseline

    async def compare_to_baseline(self, current: MemorySnapshot | None = None) -> DriftReport:
        """How far ``current`` (else a new snapshot) is from the baseline."""
        current = current or await self.take_snapshot()
        return detection.compare(self._baseline or current, current, started_at=started_at())

    def get_baseline_snapshot(self) -> dict[str, Any] | None:
        """The baseline as a dict; ``None`` before the first snapshot."""
        return self._baseline.to_dict() if self._baseline is not None else None

    def reset_baseline(self) -> None:
        """Compare with the latest snapshot from now on; before there is one, with the next.

        The types that grow most are counted from there too, unless the sampler is the agent's.
        """
        self._set_baseline(self._latest)

    def _set_baseline(self, snapshot: MemorySnapshot | None) -> None:
        self._baseline = snapshot
        if self._own_sampler is not None:
            self._own_sampler.reset_baseline()

    async def get_memory_metrics(self) -> MemoryMetrics:
        """The figures of the latest snapshot; of a new one when that is older than ``snapshot_interval``."""
        latest, now = self._latest, datetime.now(UTC)
        if latest is None or (now - latest.timestamp).total_seconds() > self.snapshot_interval:
            latest = await self._observe(census=None if latest is not None else True)
        baseline = self._baseline.heap_used_mb if self._baseline is not None else None
        drift = (latest.heap_used_mb - baseline) / baseline * 100 if baseline and latest.heap_used_mb else None
        figures = {**latest.to_dict(), "active_leaks": self._leaks.active_count, "baseline_drift_percent": drift}
        return MemoryMetrics.from_dict(figures)

    def get_stats(self) -> dict[str, Any]:
        """What the profiler has done, what it keeps and what it costs, JSON-ready."""
        latest = self._latest
        return {
            "running": self.is_running,
            "snapshot_interval": self.snapshot_interval,
            "tracemalloc": tracemalloc.is_tracing(),
            "shares_agent": self._shares_agent and agent.current() is not None,
            "snapshots_taken": self._taken,
            "snapshots_kept": len(self._kept),
            "history_bytes": self._kept.size_bytes,
            "failures": self._failures,
            "baseline_timestamp": self._baseline.timestamp.isoformat() if self._baseline is not None else None,
            "last_timestamp": latest.timestamp.isoformat() if latest is not None else None,
            "last_snapshot_cpu_ms": latest.snapshot_cpu_ms if latest is not None else None,
            "last_census_pause_ms": latest.census_pause_ms if latest is not None else None,
            "detected_leaks": len(self._leaks.known()),
            "active_leaks": self._leaks.active_count,
            **self._announcer.stats(),
        }

    # Callbacks

    def register_leak_callback(self, callback: LeakCallback) -> None:
        """Call ``callback(leak)`` for each leak that is new or has become worse; a coroutine function is awaited."""
        self._announcer.leak_callbacks.append(callback)

    def register_alert_callback(self, callback: AlertCallback) -> None:
        """Call ``callback(alert)`` once when an alert is raised; a coroutine function is awaited.

        An alert is a dict with ``type``, ``severity``, ``message``, ``timestamp`` (ISO 8601), ``value``, ``threshold``.
        """
        self._announcer.alert_callbacks.append(callback)


_profiler: MemoryProfiler | None = None
_profiler_pid = 0


def get_memory_profiler() -> MemoryProfiler:
    """The profiler of this process, always the same. Where the process is watched it shares the agent's sampler."""
    global _profiler, _profiler_pid
    if _profiler is None or _profiler_pid != os.getpid():
        running = agent.current()
        tracing = running is not None and running.config.enable_tracemalloc
        _profiler, _profiler_pid = MemoryProfiler(enable_tracemalloc=tracing), os.getpid()
        _profiler._shares_agent = True
    return _profiler
