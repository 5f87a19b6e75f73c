"""Totals that do not fall when rows are pruned, by name and labels."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min

from memwatch.models import Counter, Service

REPORTS = "memwatch_reports"
"""Reports taken."""
REJECTED = "memwatch_reports_rejected"
"""Reports set aside, by ``reason``."""
SNAPSHOTS = "memwatch_snapshots_stored"
"""Snapshots stored, by ``service``."""
DUPLICATES = "memwatch_snapshots_duplicate"
"""Snapshots that arrived a second time, and were not stored again, by ``service``."""
DROPPED = "memwatch_snapshots_dropped"
"""Snapshots that agents could not keep while the transport was away, by ``service``."""
FAILURES = "memwatch_sampling_failures"
"""Samplings that failed in a watched process, by ``service``."""
REFUSED = "memwatch_commands_refused"
"""Commands that agents refused, by ``service``."""
DEATHS = "memwatch_process_deaths"
"""Ends of processes that were explained, by ``service`` and ``reason``."""

RECYCLES = "memwatch_recycles"
"""Workers that a policy chose to recycle, by ``service``, ``reason`` and ``result``."""

NOTIFICATIONS_SENT = "memwatch_notifications_sent"
"""Messages of alerts that arrived, by ``channel``."""
NOTIFICATIONS_FAILED = "memwatch_notifications_failed"
"""Messages of alerts that were given up, by ``channel``."""
ATTEMPTS_FAILED = "memwatch_notification_attempts_failed"
"""Attempts to deliver a message that failed, and are repeated, by ``channel``."""

LEAK_DETECTIONS = "leak_detections"
"""Leaks opened, by ``service`` and ``severity``."""


def label_text(**labels: str) -> str:
    """The labels as the column keeps them: ``key=value``, comma-separated, sorted by key."""
    return ",".join(f"{key}={_escaped(value)}" for key, value in sorted(labels.items()))[:500]


def parse_labels(text: str) -> dict[str, str]:
    """The inverse of :func:`label_text`."""
    return {
        key: value.replace("%2C", ",").replace("%25", "%")
        for key, _equals, value in (item.partition("=") for item in text.split(",") if item)
    }


def counters_named(name: str) -> list[Counter]:
    """The rows of this name, one for each set of labels."""
    return list(Counter.objects.filter(name=name))


def total(name: str) -> int:
    """The sum over all labels."""
    return sum(Counter.objects.filter(name=name).values_list("value", flat=True))


def totals(name: str) -> list[tuple[dict[str, str], int]]:
    """``(labels, value)`` of each."""
    rows = Counter.objects.filter(name=name).order_by("labels").values_list("labels", "value")
    return [(parse_labels(labels), value) for labels, value in rows]


def counting_since() -> datetime | None:
    """When the first service was seen: no total is older. ``None`` before there is one."""
    since: datetime | None = Service.objects.aggregate(Min("created_at"))["created_at__min"]
    return since


def _escaped(value: str) -> str:
    return str(value).replace("%", "%25").replace(",", "%2C")
