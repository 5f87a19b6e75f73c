"""Reads what the rule for killed processes looks at: how those ended that ended within the last hour."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from django.db.models import Count, Max

from memwatch.alerts.inputs import DeathsView, Place
from memwatch.alerts.process_deaths import FRESH_S
from memwatch.detection.deaths import KILLED
from memwatch.models import Process

HOUR = timedelta(hours=1)


def process_deaths(now: datetime) -> tuple[DeathsView, ...]:
    """One for each service in which a process was killed or crashed a short time ago. Two queries at most."""
    killed = Process.objects.filter(end_reason__in=KILLED, ended_at__gt=now - HOUR, ended_at__lte=now)
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    newest: dict[int, datetime] = {}
    grouped = killed.order_by().values_list("service", "end_reason").annotate(Count("pk"), Max("ended_at"))
    for service, reason, count, at in grouped:
        counts[service][reason] = count
        newest[service] = max(at, newest.get(service, at))
    fresh = {service: at for service, at in newest.items() if at > now - timedelta(seconds=FRESH_S)}
    if not fresh:
        return ()
    last = killed.filter(service__in=fresh, ended_at__in=set(fresh.values())).select_related("service")
    rows = {row.service_id: row for row in last.order_by("pk") if row.ended_at == fresh[row.service_id]}
    return tuple(
        DeathsView(
            service_id=service,
            service=row.service.name,
            in_hour=sum(counts[service].values()),
            reasons=counts[service],
            last=Place(id=row.pk, name=str(row)),
            reason=row.end_reason,
            sentence=str(row.end_evidence.get("sentence") or ""),
        )
        for service, row in sorted(rows.items())
    )
