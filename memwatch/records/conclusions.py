"""What is concluded from snapshots: leaks, the drift from a baseline, the figures of now."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from memwatch.records.json_record import Record, aware


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Leak(Record):
    """Memory that grows and is not given back."""

    object_type: str
    """Type name, or ``untracked`` / ``native`` for memory that is not gc-tracked objects."""
    initial_count: int
    """Count (objects), blocks (untracked) or KiB (native) at the start of the window."""
    current_count: int
    """The figure at the end of the window."""
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
    probability: float | None = None
    """That it is a leak, 0 to 1: of the verdicts at this level, so many are leaks; ``None`` where it was not judged."""
    verdict: str = ""
    """One sentence for the operator."""
    evidence: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Every statistic and the rule that decided."""

    def __post_init__(self) -> None:
        aware("detection_time", self.detection_time)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class DriftReport(Record):
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
        aware("baseline_timestamp", self.baseline_timestamp)
        aware("current_timestamp", self.current_timestamp)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class MemoryMetrics(Record):
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
