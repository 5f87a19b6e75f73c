"""What the profiler of one process raises alerts about (pure functions of its figures), and who gets them."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from memwatch import thresholds
from memwatch.records import Leak, MemorySnapshot
from memwatch.sampling.snapshot_ring import KeptSnapshots
from memwatch.thresholds import Crossing

logger = logging.getLogger(__name__)

LeakCallback = Callable[[Leak], Awaitable[None] | None]
AlertCallback = Callable[[dict[str, Any]], Awaitable[None] | None]

GROWTH_WINDOW_S = 3600.0
GROWTH_STRETCHES = 6
GC_RECENT_S = 300.0
GC_BEFORE_MIN_S = 900.0

Series = Sequence[tuple[float, float]]
"""``(seconds, value)``, oldest first."""


def heap_finding(
    snapshot: MemorySnapshot, *, warning: float, critical: float, raised: Collection[str] = ()
) -> Crossing | None:
    """The heap is near what it may grow to. ``raised``: types of the alerts that are raised now."""
    if snapshot.heap_percent is None or snapshot.heap_size_mb is None:
        return None
    return thresholds.full(
        "heap",
        snapshot.heap_percent,
        snapshot.heap_size_mb,
        f" ({snapshot.heap_limit_source})",
        warning=warning,
        critical=critical,
        hold=_hold(raised),
    )


def growth_finding(heap: Series, *, threshold: float, raised: Collection[str] = ()) -> Crossing | None:
    """The memory never given back rises fast, and still does. ``heap``: MB used. ``threshold``: % an hour."""
    if not heap:
        return None
    recent = [point for point in heap if point[0] >= heap[-1][0] - GROWTH_WINDOW_S]
    start, span_s = recent[0][0], recent[-1][0] - recent[0][0]
    if len(recent) < 2 * GROWTH_STRETCHES or span_s < thresholds.MIN_SPAN_S:
        return None
    stretch_s = span_s / GROWTH_STRETCHES
    floors: dict[int, float] = {}
    for time, value in recent:
        stretch = min(int((time - start) / stretch_s), GROWTH_STRETCHES - 1)
        floors[stretch] = min(value, floors.get(stretch, value))
    if len(floors) < GROWTH_STRETCHES:
        return None
    return thresholds.growth(list(floors.values()), stretch_s, threshold=threshold, hold=_hold(raised))


def gc_finding(collections: Series, *, multiplier: float, raised: Collection[str] = ()) -> Crossing | None:
    """The collector runs far more often than before. ``collections``: generations 1 and 2 together, so far."""
    if not collections:
        return None
    end = collections[-1]
    split = next((i for i, point in enumerate(collections) if point[0] >= end[0] - GC_RECENT_S), 0)
    start, middle = collections[0], collections[split]
    if middle[0] - start[0] < GC_BEFORE_MIN_S or end[0] - middle[0] < GC_RECENT_S / 2:
        return None
    rate = (end[1] - middle[1]) / (end[0] - middle[0])
    average = (middle[1] - start[1]) / (middle[0] - start[0])
    return thresholds.gc_spike(rate, average, multiplier=multiplier, hold=_hold(raised))


def _hold(raised: Collection[str]) -> thresholds.Hold:
    return lambda alert_type: thresholds.HOLD if alert_type in raised else 1.0


def leak_finding(leak: Leak, *, threshold: float) -> Crossing:
    """The alert of a leak."""
    return Crossing(
        type="leak",
        severity=leak.severity,
        value=leak.growth_percent,
        threshold=threshold,
        message=(
            f"{leak.object_type} leaks, {leak.severity} severity, grown by {leak.growth_count:,} "
            f"({leak.growth_percent:.0f} %). {leak.verdict}".rstrip()
        ),
    )


def findings(
    snapshot: MemorySnapshot,
    kept: KeptSnapshots,
    *,
    heap_warning: float,
    heap_critical: float,
    growth_rate: float,
    gc_spike: float,
    raised: Mapping[str, Crossing],
) -> dict[str, Crossing]:
    """Everything over its threshold at ``snapshot``, the newest of ``kept``, by type; leaks apart."""
    collections = [
        (first[0], first[1] + second[1])
        for first, second in zip(kept.column("gc_collections_gen1"), kept.column("gc_collections_gen2"), strict=False)
    ]
    found = (
        heap_finding(snapshot, warning=heap_warning, critical=heap_critical, raised=raised),
        growth_finding(list(kept.column("heap_used_mb")), threshold=growth_rate, raised=raised),
        gc_finding(collections, multiplier=gc_spike, raised=raised),
    )
    return {finding.type: finding for finding in found if finding is not None}


class Announcer:
    """Tells callbacks of each alert when it is raised, once until it is over, and of leaks."""

    def __init__(self) -> None:
        self.leak_callbacks: list[LeakCallback] = []
        self.alert_callbacks: list[AlertCallback] = []
        self.raised: dict[str, Crossing] = {}
        """The alerts that are raised now, by type."""
        self._alerts = 0

    async def now(self, found: dict[str, Crossing]) -> None:
        """``found`` is all that is over its threshold now: announce what is new, forget what is over."""
        before, self.raised = self.raised, found
        for finding in found.values():
            if finding.type not in before:
                await self._raise(finding)

    async def leak(self, leak: Leak, *, threshold: float) -> None:
        """A leak that is new or has become worse."""
        await _call(self.leak_callbacks, leak)
        await self._raise(leak_finding(leak, threshold=threshold))

    async def _raise(self, finding: Crossing) -> None:
        self._alerts += 1
        await _call(self.alert_callbacks, {**dataclasses.asdict(finding), "timestamp": datetime.now(UTC).isoformat()})

    def stats(self) -> dict[str, Any]:
        """For :meth:`MemoryProfiler.get_stats`."""
        return {
            "alerts_raised": self._alerts,
            "alerts_now": sorted(self.raised),
            "leak_callbacks": len(self.leak_callbacks),
            "alert_callbacks": len(self.alert_callbacks),
        }


async def _call(callbacks: Iterable[Callable[[Any], Awaitable[None] | None]], argument: Any) -> None:
    for callback in tuple(callbacks):
        try:
            result = callback(argument)
            if inspect.isawaitable(result):
                await result
        except Exception:
            logger.exception("memwatch: the callback %r raised; the others are called all the same", callback)
