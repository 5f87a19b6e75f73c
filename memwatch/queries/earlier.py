"""What a process's counts were before the time that is judged: a look back, thinned."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db.models import Max, Min

from memwatch.models import Process, Snapshot
from memwatch.queries.types import ids_of

POINTS = 96
"""One in a quarter of an hour, of a day."""


def earlier_counts(
    process: Process, names: Collection[str], *, since: datetime, before: datetime
) -> Mapping[str, Sequence[int]]:
    """Counts of these types, oldest first, at most ``POINTS`` evenly over that time; types without any are left out."""
    ids = ids_of(set(names))
    rows = Snapshot.objects.filter(process=process, timestamp__gte=since, timestamp__lt=before)
    ends = rows.aggregate(first=Min("seq"), last=Max("seq"))
    if not ids or ends["first"] is None:
        return {}
    step = max(1, -(-(ends["last"] - ends["first"] + 1) // POINTS))
    chosen = rows.filter(seq__in=range(ends["first"], ends["last"] + 1, step), counts__isnull=False).order_by("seq")
    found: dict[str, list[int]] = {}
    for counts in chosen.values_list("counts", flat=True):
        for name, number in ids.items():
            if counts is not None and (count := counts.get(str(number))) is not None:
                found.setdefault(name, []).append(count)
    return found
