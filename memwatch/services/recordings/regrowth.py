"""How far resident memory grew back after an allocator check: kept with its result before the snapshots are pruned."""

from __future__ import annotations

from datetime import datetime, timedelta

from memwatch.diagnosis import result_shape
from memwatch.models import Recording, RecordingKind
from memwatch.queries.diagnosis import trims
from memwatch.services.locking import writing

LOOK_BACK = timedelta(hours=6)
"""Longer than one is followed, with time for a worker that was away."""


def settle(now: datetime) -> int:
    """Store the regrowth of the checks that are followed no longer; how many. One query where there are none."""
    recent = Recording.objects.filter(
        kind=RecordingKind.TRIM, state=Recording.State.DONE, requested_at__gt=now - LOOK_BACK, result__isnull=False
    )
    settled = 0
    for row in recent.select_related("process"):
        result = row.result if isinstance(row.result, dict) else {}
        if result.get("watched_s") is None and result.get("trimmed") and trims.is_over(row, now):
            settled += _settle(row.pk, now)
    return settled


def _settle(pk: int, now: datetime) -> bool:
    with writing():
        row = Recording.objects.select_for_update(of=("self",)).select_related("process").get(pk=pk)
        try:
            result = result_shape.checked(row.kind, row.result)
        except ValueError:
            return False
        row.result = trims.followed(row, result, now)
        row.save(update_fields=["result"])
    return True
