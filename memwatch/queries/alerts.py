"""Alerts in order of severity, and what belongs to them."""

from __future__ import annotations

from memwatch.models import Alert, Notification
from memwatch.queries.leaks import SEVERITY_RANK

WORST_FIRST = (SEVERITY_RANK.desc(), "-raised_at", "-pk")


def worst_raised(most: int) -> list[Alert]:
    """The alerts that are raised, worst first, with their service."""
    # First the few, then what belongs to them: thousands may be raised.
    first = Alert.objects.raised().order_by(*WORST_FIRST).values("pk")[:most]
    return list(Alert.objects.filter(pk__in=first).order_by(*WORST_FIRST).select_related("service"))


def earlier_alerts(alert: Alert, most: int) -> list[Alert]:
    """Others of the same type and subject, newest first."""
    same = Alert.objects.filter(type=alert.type, subject=alert.subject).exclude(pk=alert.pk)
    return list(same.order_by("-raised_at")[:most])


def notifications_of(alert: Alert) -> list[Notification]:
    """The messages that told of it, in the order they were written."""
    return list(Notification.objects.filter(alert=alert).order_by("id"))
