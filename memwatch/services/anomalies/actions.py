"""What operators do about anomalies."""

from __future__ import annotations

import logging
from typing import Any

from django.utils import timezone

from memwatch.models import Anomaly, Recording, RecordingKind, Trigger
from memwatch.services import ActionRefused, audit
from memwatch.services.locking import writing
from memwatch.services.recordings import requests
from memwatch.transport import Hub

log = logging.getLogger("memwatch")


@writing()
def dismiss(anomaly: Anomaly, *, by: Any, comment: str = "") -> Anomaly:
    """Say that it is no trouble: the same is not said of this service again, unless it becomes half as much again."""
    row = Anomaly.objects.select_for_update().get(pk=anomaly.pk)
    if row.state == Anomaly.State.DISMISSED:
        raise ActionRefused(f"{row} is dismissed already")
    row.state, row.dismissed_at, row.comment = Anomaly.State.DISMISSED, timezone.now(), comment[:300]
    row.dismissed_by = by if by is not None and by.pk is not None else None
    row.save(update_fields=["state", "dismissed_at", "comment", "dismissed_by"])
    audit.record(by, row, f"Dismissed{': ' + comment if comment else ''}.")
    for name in ("state", "dismissed_at", "comment", "dismissed_by"):
        setattr(anomaly, name, getattr(row, name))
    return row


def record_both(
    anomaly: Anomaly, *, by: Any = None, trigger: Trigger | None = None, hub: Hub | None = None
) -> list[Recording]:
    """Heap summaries of the unusual process and of its usual sibling, whose difference the anomaly's page shows.

    Raises :class:`ActionRefused` where the unusual one cannot be recorded; without its sibling it is recorded alone.
    """
    process, sibling = anomaly.process, anomaly.sibling
    if process is None:
        raise ActionRefused(f"{anomaly}: it is about the whole service, so that there is no sibling to compare with")
    if not process.is_alive:
        raise ActionRefused(f"{anomaly}: the process has ended")
    made = [requests.request(process, RecordingKind.HEAP_SUMMARY, by=by, trigger=trigger, anomaly=anomaly, hub=hub)]
    if sibling is not None and sibling.is_alive:
        try:
            made.append(
                requests.request(
                    sibling, RecordingKind.HEAP_SUMMARY, by=by, trigger=trigger, anomaly=anomaly, follows=made[0],
                    hub=hub,
                )
            )  # fmt: skip
        except (ActionRefused, ValueError) as error:
            log.warning("memwatch: the usual sibling of %s was not recorded: %s", anomaly, error)
    return made
