"""How fast the memory of processes grows now, by its floors: a spike that is given back is no growth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Min, Q

from memwatch.models import Snapshot
from memwatch.queries.snapshot_mapping import megabytes

WINDOW = timedelta(hours=1)
STRETCHES = 12
"""Of each the least is taken."""
LEAST_SPAN = timedelta(minutes=10)
"""Between the first and the last stretch; a younger process grows at no rate worth a figure."""


def growth_mb_per_hour(now: datetime) -> dict[int, float]:
    """MB an hour of RSS between the floors of the first and the last stretch of the last hour, by process id.

    The stretch in which a process was first seen is left out where others are there: it was still loading.
    Processes watched for under ten minutes are missing. One query for the whole fleet.
    """
    length = WINDOW / STRETCHES
    begin = now - WINDOW
    floors = {
        f"floor_{number}": Min(
            "rss_kib", filter=Q(timestamp__gte=begin + number * length, timestamp__lt=begin + (number + 1) * length)
        )
        for number in range(STRETCHES)
    }
    rows = Snapshot.objects.filter(timestamp__gte=begin, process__ended_at=None).order_by()
    found = {}
    for process, *own in rows.values("process").annotate(**floors).values_list("process", *floors):
        rate = _rate(dict(enumerate(own)))
        if rate is not None:
            found[process] = rate
    return found


def _rate(floors: Mapping[int, int | None]) -> float | None:
    """MB an hour, from KiB by the number of the stretch."""
    known = [(number, floor) for number, floor in floors.items() if floor is not None]
    if known and known[0][0] > 0:
        known = known[1:]
    if len(known) < 2:
        return None
    (first, before), (last, after) = known[0], known[-1]
    span = (last - first) * (WINDOW / STRETCHES)
    if span < LEAST_SPAN:
        return None
    return (megabytes(after - before) or 0.0) / (span / timedelta(hours=1))
