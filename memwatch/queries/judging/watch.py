"""How well each process is watched: floors of its resident memory, and how often its objects were counted."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, Q

from memwatch.detection.statistics.steady_growth import STRETCH_INTERVALS, STRETCHES
from memwatch.models import Snapshot


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """The last snapshots of one process in numbers."""

    floors: tuple[int | None, ...]
    """Least RSS in KiB of each stretch, oldest first."""
    censuses: int
    """Counts of its objects in the window."""
    census_cpu_ms: float | None
    """What the dearest of them cost."""
    first_at: datetime
    """Its first snapshot in the window."""


def watched(now: datetime, *, interval_s: float, window: timedelta) -> dict[int, Watched]:
    """By the id of each living process with an agent that reported in ``window``. One query."""
    length = timedelta(seconds=STRETCH_INTERVALS * interval_s)
    begin = now - STRETCHES * length
    floors = {
        f"floor_{number}": Min(
            "rss_kib", filter=Q(timestamp__gte=begin + number * length, timestamp__lt=begin + (number + 1) * length)
        )
        for number in range(STRETCHES)
    }
    rows = Snapshot.objects.filter(
        timestamp__gte=min(begin, now - window), process__ended_at=None, process__outside=False
    ).order_by()
    columns = rows.values("process").annotate(
        **floors,
        censuses=Count("total_objects", filter=Q(timestamp__gte=now - window)),
        census_cpu_us=Max("snapshot_cpu_us", filter=Q(timestamp__gte=now - window, total_objects__isnull=False)),
        first_at=Min("timestamp"),
    )
    return {
        pk: Watched(tuple(own), censuses, None if cpu_us is None else cpu_us / 1000, first_at)
        for pk, censuses, cpu_us, first_at, *own in columns.values_list(
            "process", "censuses", "census_cpu_us", "first_at", *floors
        )
    }
