"""The notification of a recycled worker: one for each, when it is known what it gave back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.alerts.messages import RECYCLE_REHEARSED, UNITS, WORKER_RECYCLED
from memwatch.conf import get_settings
from memwatch.formatting import megabytes as said_mb
from memwatch.models import Notification, Recycle, RecyclingPolicy
from memwatch.queries.recycling import unreported
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.services import notifications
from memwatch.services.locking import writing

FINISHED = "It finished its job and ended."
"""The result of a worker that ended as it was meant to: that goes without saying."""
WAIT = timedelta(minutes=30)
"""After the end of a worker, for the first figures of its successor; longer where snapshots are seldom."""
_INTERVALS = 12
"""Private memory is read with every fifth snapshot, and more seldom where that takes long."""
_Notify = RecyclingPolicy.Notify
_WANTED = {Recycle.State.REHEARSED: (_Notify.ALL,), Recycle.State.RECYCLED: (_Notify.RECYCLED, _Notify.ALL)}


def report(row: Recycle, now: datetime) -> None:
    """Write the notification, once, if the policy wants one. Call it in the transaction of what it reports."""
    if not Recycle.objects.filter(pk=row.pk, notified_at=None).update(notified_at=now):
        return
    wanted = RecyclingPolicy.objects.filter(service=row.service_id).values_list("notify", flat=True).first()
    if wanted in _WANTED.get(Recycle.State(row.state), ()):
        notifications.put(
            message_of(row, now), now, recycle=row, event=Notification.Event.INFO, episode=f"recycle:{row.pk}"
        )


def report_unmeasured(now: datetime) -> None:
    """Those whose successor has not been measured in time: what they gave back is not known."""
    wait = max(WAIT, timedelta(seconds=_INTERVALS * get_settings().snapshot_interval))
    for row in unreported(now - wait):
        with writing():
            report(row, now)


def message_of(row: Recycle, now: datetime) -> dict[str, Any]:
    """As :mod:`memwatch.alerts.messages` describes it, without the id."""
    rehearsed = row.state == Recycle.State.REHEARSED
    kind = RECYCLE_REHEARSED if rehearsed else WORKER_RECYCLED
    process = row.process
    return {
        "type": kind,
        "severity": "low",
        "message": _sentence(row, rehearsed=rehearsed),
        "timestamp": now.astimezone(UTC).isoformat(),
        "value": megabytes(row.private_before_kib),
        "threshold": None,
        "unit": UNITS[kind],
        "event": str(Notification.Event.INFO),
        "state": "cleared",
        "began_at": row.at.astimezone(UTC).isoformat(),
        "duration_s": None,
        "worst_value": None,
        "summary": None,
        "service": row.service.name,
        "host": process.host if process else None,
        "slot": process.slot if process else None,
        "processes": None,
        "object_type": row.leak.object_type if row.leak else None,
        "url": notifications.page_url("recycle", row.pk),
    }


def _sentence(row: Recycle, *, rehearsed: bool) -> str:
    """E.g. ``web: recycled web-2 on a: 412 MB of private memory, …, for 3 checks. It gave back 290 MB.``"""
    if rehearsed:
        return f"{row.service}: would have recycled {row.why} The policy rehearses, so the worker was left alone."
    how = "" if row.result == FINISHED else f"{row.result} "
    return f"{row.service}: recycled {row.why} {how}{_gain(row)}"


def _gain(row: Recycle) -> str:
    if row.gained_kib is not None:
        gained = megabytes(row.gained_kib)
        return f"It gave back {said_mb(gained)}." if row.gained_kib > 0 else "It gave back nothing."
    if row.successor_id is None:
        return "What it gave back is not known: no successor was seen."
    return "What it gave back is not known: its successor was not measured."
