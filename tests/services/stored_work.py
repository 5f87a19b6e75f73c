"""What views, tasks and commands took, as ingest would have stored it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from memwatch.models import Process
from memwatch.records import MemorySnapshot, histogram
from memwatch.records.work import TASK, WorkFigures
from memwatch.services.ingest import work


def figures(
    name: str, calls: int = 1, *, kind: str = TASK, seconds: float = 0.1, kept: int | None = None,
    kept_kib: int | None = None, peak_kib: int | None = None, **more: Any,
) -> WorkFigures:  # fmt: skip
    """Calls that were all alike: each took ``seconds``, kept so much and had such a peak; ``None``: not measured."""
    values: dict[str, Any] = {
        "kind": kind, "name": name, "calls": calls, "seconds": seconds * calls, "seconds_max": seconds,
        "seconds_counts": {str(histogram.bucket(seconds * 1e6)): calls},
    }  # fmt: skip
    if kept is not None:
        values |= {
            "blocks_calls": calls, "blocks": kept * calls, "blocks_squares": float(kept**2 * calls),
            "blocks_max": max(kept, 0),
        }  # fmt: skip
    if kept_kib is not None:
        values |= {"rss_calls": calls, "rss_kib": kept_kib * calls, "rss_kib_max": max(kept_kib, 0)}
    if peak_kib is not None:
        values |= {
            "peak_calls": calls, "peak_kib_max": peak_kib, "peak_rss_kib": 100_000 + peak_kib,
            "peak_counts": {str(histogram.bucket(peak_kib)): calls},
        }  # fmt: skip
    return WorkFigures(**{**values, **more})


def store_work(process: Process, at: datetime, *ended: WorkFigures) -> None:
    """These jobs ended before ``at`` in the process."""
    taken = MemorySnapshot(timestamp=at, work=tuple(ended))
    work.store([(process, taken)], work.intern([taken], at), at)
