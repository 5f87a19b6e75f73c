"""Alerts as rows: raised once, cleared when over; their notifications go into the outbox with them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial

from django.db import DatabaseError, transaction
from django.utils import timezone

from memwatch.alerts import Finding, decide
from memwatch.alerts.inputs import episode_of, leak_subject
from memwatch.conf import get_settings
from memwatch.models import Alert, Notification, connection
from memwatch.records import SEVERITIES
from memwatch.services import notifications
from memwatch.services.alert_values import look
from memwatch.services.locking import writing
from memwatch.signals import alert_cleared, alert_raised

logger = logging.getLogger(__name__)

WORSE_BY = 1.01
"""A worst value is kept when it is worse by this factor: not every digit is worth a write."""

_ABOUT, _SAID = ("subject", "process_id", "processes"), ("severity", "message", "value", "threshold")

_Event = Notification.Event


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AlertResult:
    """What a run changed."""

    raised: int = 0
    cleared: int = 0


def check(now: datetime | None = None) -> AlertResult:
    """Raise what is over a threshold and not raised yet, clear what is over. Repeating it changes nothing.

    A warning that becomes critical, and a leak that gets worse, are one episode: the alert gives way to another, which
    is reported as worse. One that gets milder sends nothing; nor does a leak that more or fewer processes have. The end
    of the episode is reported with a summary.
    """
    now, settings = now or timezone.now(), get_settings()
    findings = {finding.episode: finding for finding in _worst_last(decide(look(settings, now), settings))}
    standing = _standing(findings)
    raised = cleared = 0
    for episode, alerts in standing.items():
        finding = findings.get(episode)
        *spare, alert = alerts
        for other in spare:
            cleared += _safely(partial(_clear, other, now, told=False))
        if finding is None:
            cleared += _safely(partial(_clear, alert, now, told=True))
        elif finding.type != alert.type or _rank(finding.severity) > _rank(alert.severity):
            replaced = _safely(partial(_replace, alert, finding, now))
            raised, cleared = raised + replaced, cleared + replaced
        else:
            _safely(partial(_follow, alert, finding))
    for episode, finding in findings.items():
        if episode not in standing:
            raised += _safely(partial(_raise, finding, now))
    return AlertResult(raised=raised, cleared=cleared)


def _standing(findings: Mapping[str, Finding]) -> dict[str, list[Alert]]:
    """What is raised, by episode; of several of one episode, which are to become one, the one to keep comes last."""
    under = {leak: episode for episode, finding in findings.items() for leak in finding.leak_ids}
    standing: dict[str, list[Alert]] = {}
    for alert in Alert.objects.raised().select_related("service", "process", "leak").order_by("id"):
        episode = _episode_of(alert)
        if episode not in findings and alert.leak_id in under:
            episode = under[alert.leak_id]  # the leak has another name now
        standing.setdefault(episode, []).append(alert)
    for episode, alerts in standing.items():
        if len(alerts) > 1:
            alerts.sort(key=lambda alert: (episode_of(alert.type, alert.subject) == episode, _rank(alert.severity)))
    return standing


def _episode_of(alert: Alert) -> str:
    """The episode that it belongs to. Alerts that were raised for a leak of one process count as those of its cause."""
    leak, subject = alert.leak, alert.subject
    if leak is not None and subject == f"leak:{leak.pk}":
        subject = leak_subject(leak.service_id, leak.kind, leak.object_type)
    return episode_of(alert.type, subject)


def _worst_last(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: _rank(finding.severity))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def _safely(act: Callable[[], bool]) -> bool:
    """Do one thing in a transaction of its own: what disappeared in the meantime stops nothing else."""
    try:
        with writing():
            return act()
    except DatabaseError as error:
        logger.warning("an alert was not kept, the next run tries again: %s", error)
        return False


def _raise(finding: Finding, now: datetime, before: Alert | None = None) -> bool:
    """Create the row and its notifications; the constraint lets only one through."""
    alert = Alert(
        type=finding.type,
        subject=finding.subject,
        severity=finding.severity,
        service_id=finding.service_id,
        process_id=finding.process_id,
        leak_id=finding.leak_id,
        processes=finding.processes,
        message=finding.message,
        value=finding.value,
        threshold=finding.threshold,
        worst_value=_worst(finding.value, before),
        raised_at=now,
        began_at=now if before is None else before.began_at,
    )
    Alert.objects.bulk_create([alert])
    if before is None:
        notifications.write(alert, _Event.RAISED, now)
    elif _rank(finding.severity) > _rank(before.severity):
        notifications.write(alert, _Event.WORSE, now)
    transaction.on_commit(partial(alert_raised.send_robust, sender=Alert, alert=alert), using=connection.alias())
    return True


def _replace(alert: Alert, finding: Finding, now: datetime) -> bool:
    """The same episode, at another level."""
    return _clear(alert, now, told=False) and _raise(finding, now, alert)


def _follow(alert: Alert, finding: Finding) -> bool:
    """Bring it up to date: its worst figure, and its text where it is milder, or is about other processes or names."""
    worst, changed = _worst(finding.value, alert), []
    if alert.worst_value is None or worst > alert.worst_value * WORSE_BY:
        alert.worst_value = worst
        changed.append("worst_value")
    if any(getattr(alert, name) != getattr(finding, name) for name in ("severity", *_ABOUT)):
        for name in (*_ABOUT, *_SAID):
            setattr(alert, name, getattr(finding, name))
        changed += [*_ABOUT, *_SAID]
        alert.notifications.update(episode=finding.episode)
    if finding.leak_ids and alert.leak_id not in finding.leak_ids:
        alert.leak_id = finding.leak_id
        changed.append("leak_id")
    if changed:
        alert.save(update_fields=changed)
    return bool(changed)


def _worst(value: float, before: Alert | None) -> float:
    known = None if before is None else before.worst_value
    return value if known is None else max(value, known)


def _clear(alert: Alert, now: datetime, *, told: bool) -> bool:
    """Only the caller that sets the time sends it."""
    if not Alert.objects.raised().filter(pk=alert.pk).update(cleared_at=now):
        return False
    alert.cleared_at = now
    if told:
        notifications.write(alert, _Event.CLEARED, now)
    transaction.on_commit(partial(alert_cleared.send_robust, sender=Alert, alert=alert), using=connection.alias())
    return True
