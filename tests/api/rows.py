"""Findings and commands as the services would have stored them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from memwatch.models import Alert, Command, Leak, Notification, Process
from tests.services.stored import MINUTE, NOON, QUOTE


def store_leak(owner: Process, object_type: str = QUOTE, **values: Any) -> Leak:
    made: dict[str, Any] = {
        "service": owner.service, "process": owner, "object_type": object_type, "severity": "high",
        "initial_count": 500, "current_count": 4_500, "growth_count": 4_000, "growth_percent": 800.0,
        "growth_per_hour": 1_200.0, "time_to_exhaustion_s": 7_200.0, "verdict": f"{object_type} grows steadily.",
        "evidence": {"rule": "trend"}, "started_at": NOON - 60 * MINUTE, "detected_at": NOON, "last_seen_at": NOON,
        **values,
    }  # fmt: skip
    return Leak.objects.create(**made)


def store_alert(process: Process, leak: Leak | None = None, **values: Any) -> Alert:
    made: dict[str, Any] = {
        "type": "leak", "severity": "high", "service": process.service, "process": process, "leak": leak,
        "subject": f"{process.pk}:{Alert.objects.count()}", "message": "PriceQuote leaks", "value": 4_500.0,
        "threshold": 50.0, "raised_at": NOON, **values,
    }  # fmt: skip
    return Alert.objects.create(**made)


def store_command(process: Process, **values: Any) -> Command:
    now = timezone.now()
    made: dict[str, Any] = {
        "wire_id": f"{process.pk}-{Command.objects.count()}", "name": "snapshot", "process": process,
        "expires_at": now, "created_at": now - 10 * MINUTE, "state": "done", **values,
    }  # fmt: skip
    return Command.objects.create(**made)


def store_notification(alert: Alert, **values: Any) -> Notification:
    made: dict[str, Any] = {
        "alert": alert, "event": "raised", "channel": "memwatch.alerts.channels.log", "episode": alert.subject,
        "payload": {"message": alert.message, "type": alert.type}, "created_at": NOON, "next_attempt_at": NOON,
        **values,
    }  # fmt: skip
    return Notification.objects.create(**made)
