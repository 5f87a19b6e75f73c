"""What a process's counts were before the time that is judged: a look back, thinned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Max, Min

from memwatch.models import Baseline, Process, Snapshot
from memwatch.queries.object_types import ids_of

POINTS = 96
"""One in a quarter of an hour, of a day."""


class EarlierCounts:
    """Counts by type from ``since`` to ``before``, at most ``POINTS`` evenly over that time; read when first asked.

    Not from before the process's first baseline: that was warm-up.
    """

    def __init__(self, process: Process, *, since: datetime, before: datetime) -> None:
        self._process, self._since = process, since
        self._snapshots = Snapshot.objects.filter(process=process, timestamp__lt=before)
        self._read: list[dict[str, int]] | None = None

    def of(self, name: str) -> Sequence[int]:
        """Those of one type, oldest first; empty where there are none."""
        if self._read is None:
            self._read = self._rows()
        number = str(ids_of({name}).get(name))
        return [counts[number] for counts in self._read if number in counts]

    def _rows(self) -> list[dict[str, int]]:
        """Chosen by their numbers, which are consecutive: no other row is read."""
        warm = Baseline.objects.filter(process=self._process).aggregate(first=Min("timestamp"))["first"]
        since = self._since if warm is None else max(warm, self._since)
        ends = self._snapshots.filter(timestamp__gte=since).aggregate(first=Min("seq"), last=Max("seq"))
        if ends["first"] is None:
            return []
        step = max(1, -(-(ends["last"] - ends["first"] + 1) // POINTS))
        chosen = self._snapshots.filter(seq__in=range(ends["first"], ends["last"] + 1, step), counts__isnull=False)
        return [counts for counts in chosen.order_by("seq").values_list("counts", flat=True) if counts is not None]
