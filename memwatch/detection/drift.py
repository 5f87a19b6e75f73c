"""How far a process has moved from a baseline."""

from __future__ import annotations

from datetime import datetime

from memwatch.records import DriftReport, MemorySnapshot

SIGNIFICANT_PERCENT = 10.0
"""Least change that is reported: an idle process varies by a few percent."""
SIGNIFICANT_MB = 1.0
SIGNIFICANT_OBJECTS = 1000
SIGNIFICANT_TYPE_PERCENT, SIGNIFICANT_TYPE_COUNT = 50.0, 100
"""The contract's thresholds for a type."""
SIGNIFICANT_GC_FACTOR = 2.0
MAX_SENTENCES = 20


def compare(
    baseline: MemorySnapshot,
    current: MemorySnapshot,
    *,
    started_at: datetime | None = None,
    min_growth_percent: float = SIGNIFICANT_TYPE_PERCENT,
    min_growth_count: int = SIGNIFICANT_TYPE_COUNT,
) -> DriftReport:
    """The difference of ``current`` from ``baseline``; ``None`` for figures that either did not measure.

    ``started_at``: when the process started, for the change in the frequency of collections.
    """
    heap, heap_percent = _difference(baseline.heap_used_mb, current.heap_used_mb)
    rss, rss_percent = _difference(baseline.rss_mb, current.rss_mb)
    objects, objects_percent = _difference(baseline.total_objects, current.total_objects)
    types = _types(baseline, current)
    frequency = gc_frequency_change(baseline, current, started_at)
    sentences = [
        *_sized("heap used", heap, heap_percent, SIGNIFICANT_MB, "MB"),
        *_sized("resident memory", rss, rss_percent, SIGNIFICANT_MB, "MB"),
        *_sized("objects", objects, objects_percent, SIGNIFICANT_OBJECTS, ""),
    ]
    if frequency is not None and frequency >= SIGNIFICANT_GC_FACTOR:
        sentences.append(f"full garbage collections are {frequency:.1f} times as frequent")
    before = baseline.top_objects or {}
    for name, change in types.items():
        was = before.get(name, 0)
        if change > min_growth_count and change * 100 > min_growth_percent * was:
            sentences.append(f"{name} {change:+,} ({was:,} to {was + change:,})")
    return DriftReport(
        baseline_timestamp=baseline.timestamp,
        current_timestamp=current.timestamp,
        heap_drift_mb=heap,
        heap_drift_percent=heap_percent,
        object_drift=None if objects is None else round(objects),
        object_drift_percent=objects_percent,
        gc_frequency_change=frequency,
        significant_drifts=sentences[:MAX_SENTENCES],
        rss_drift_mb=rss,
        rss_drift_percent=rss_percent,
        type_drifts=types,
    )


def gc_frequency_change(baseline: MemorySnapshot, current: MemorySnapshot, started_at: datetime | None) -> float | None:
    """Full collections a second since the baseline, over those from the process's start to the baseline.

    ``None`` before both are known: without the start, without a collection before the baseline, after a restart.
    """
    before, now = baseline.gc_collections_gen2, current.gc_collections_gen2
    if before is None or now is None or started_at is None or before <= 0 or now < before:
        return None
    early_s = (baseline.timestamp - started_at).total_seconds()
    late_s = (current.timestamp - baseline.timestamp).total_seconds()
    if early_s <= 0 or late_s <= 0:
        return None
    return ((now - before) / late_s) / (before / early_s)


def _difference(before: float | None, now: float | None) -> tuple[float | None, float | None]:
    if before is None or now is None:
        return None, None
    change = now - before
    return change, change / before * 100 if before > 0 else None


def _types(baseline: MemorySnapshot, current: MemorySnapshot) -> dict[str, int]:
    before, now = baseline.top_objects or {}, current.top_objects or {}
    known = dict(before)
    for name, count in (current.backfill or {}).items():
        known.setdefault(name, count)
    changes = {name: now[name] - was for name, was in known.items() if name in now and now[name] != was}
    return dict(sorted(changes.items(), key=lambda item: -item[1]))


def _sized(name: str, change: float | None, percent: float | None, least: float, unit: str) -> list[str]:
    if change is None or percent is None or abs(change) < least or abs(percent) < SIGNIFICANT_PERCENT:
        return []
    amount = f"{change:+,.1f} {unit}" if unit else f"{change:+,.0f}"
    return [f"{name} {amount} ({percent:+.1f} %)"]
