"""Alerts as rows: raised once, cleared when over, and told to signals and channels after the commit."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction
from django.dispatch import Signal
from django.utils import timezone

from memwatch.alerts import Finding, decide
from memwatch.alerts.channels import deliver
from memwatch.conf import get_settings
from memwatch.figures import SEVERITIES
from memwatch.models import Alert
from memwatch.services.alert_values import look
from memwatch.services.transactions import writing
from memwatch.signals import alert_cleared, alert_raised

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AlertResult:
    """What a run changed."""

    raised: int = 0
    cleared: int = 0


def check(now: datetime | None = None) -> AlertResult:
    """Raise what is over a threshold and not raised yet, clear what is over. Repeating it changes nothing.

    An alert that gets worse is cleared and raised anew, so that it is heard; one that gets milder keeps quiet and is
    brought up to date.
    """
    now, settings = now or timezone.now(), get_settings()
    findings = {finding.key: finding for finding in decide(look(settings, now), settings)}
    standing = {
        (alert.type, alert.subject): alert for alert in Alert.objects.raised().select_related("service", "process")
    }
    raised = cleared = 0
    for key, alert in standing.items():
        finding = findings.get(key)
        if finding is None or _rank(finding.severity) > _rank(alert.severity):
            cleared += _safely(_clear, alert, now)
        elif finding.severity != alert.severity:
            _safely(_update, alert, finding)
    for key, finding in findings.items():
        before = standing.get(key)
        if before is None or _rank(finding.severity) > _rank(before.severity):
            raised += _safely(_raise, finding, now)
    return AlertResult(raised=raised, cleared=cleared)


def alert_dict(alert: Alert, state: str) -> dict[str, Any]:
    """What channels are given; ``state`` is ``raised`` or ``cleared``."""
    moment = alert.cleared_at if state == "cleared" and alert.cleared_at is not None else alert.raised_at
    return {
        "type": alert.type,
        "severity": alert.severity,
        "message": alert.message,
        "timestamp": moment.astimezone(UTC).isoformat(),
        "value": alert.value,
        "threshold": alert.threshold,
        "state": state,
        "service": alert.service.name,
        "host": alert.process.host if alert.process else None,
        "slot": alert.process.slot if alert.process else None,
    }


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def _safely(act: Any, *arguments: Any) -> bool:
    """Do one thing in a transaction of its own: what disappeared in the meantime stops nothing else."""
    try:
        with writing():
            return bool(act(*arguments))
    except DatabaseError as error:
        logger.warning("an alert was not kept, the next run tries again: %s", error)
        return False


def _raise(finding: Finding, now: datetime) -> bool:
    """Create the row; the constraint lets only one through."""
    (alert,) = Alert.objects.bulk_create(
        [
            Alert(
                type=finding.type,
                subject=finding.subject,
                severity=finding.severity,
                service_id=finding.service_id,
                process_id=finding.process_id,
                leak_id=finding.leak_id,
                message=finding.message,
                value=finding.value,
                threshold=finding.threshold,
                raised_at=now,
            )
        ]
    )
    transaction.on_commit(partial(_tell, alert, "raised", alert_raised))
    return True


def _update(alert: Alert, finding: Finding) -> bool:
    alert.severity, alert.message = finding.severity, finding.message
    alert.value, alert.threshold = finding.value, finding.threshold
    alert.save(update_fields=["severity", "message", "value", "threshold"])
    return True


def _clear(alert: Alert, now: datetime) -> bool:
    """Only whoever sets the time tells of it."""
    if not Alert.objects.raised().filter(pk=alert.pk).update(cleared_at=now):
        return False
    alert.cleared_at = now
    transaction.on_commit(partial(_tell, alert, "cleared", alert_cleared))
    return True


def _tell(alert: Alert, state: str, signal: Signal) -> None:
    signal.send_robust(sender=Alert, alert=alert)
    channels: Sequence[Any] = get_settings().alert_channels
    deliver([alert_dict(alert, state)], channels)
