"""A process over time, as values."""

from __future__ import annotations

from datetime import datetime

from memwatch.models import Process, Snapshot
from memwatch.queries.snapshot_mapping import figures_of_many
from memwatch.records import MemorySnapshot

DEFAULT_LIMIT = 1_000


def history(
    process: Process, *, since: datetime, until: datetime | None = None, limit: int = DEFAULT_LIMIT
) -> list[MemorySnapshot]:
    """The snapshots from ``since`` to ``until`` (both included), oldest first; the newest ``limit`` of them."""
    rows = Snapshot.objects.filter(process=process, timestamp__gte=since)
    if until is not None:
        rows = rows.filter(timestamp__lte=until)
    return figures_of_many(reversed(rows.order_by("-timestamp")[:limit]))
