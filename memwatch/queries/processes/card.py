"""What the card on the admin's index says of the fleet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count, F, Q

from memwatch.conf import get_settings
from memwatch.models import Alert, Leak, Process
from memwatch.queries.leaks import SEVERITY_RANK, leaks_by_id
from memwatch.queries.processes.deaths import counted_since

SHOWN_LEAKS = 3
MOST_READ = 200
"""Open leaks read to find the worst: the same leak may be open in many processes."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FleetState:
    """Counts of now. The same leak in several processes of a service counts once."""

    leaks: int
    worst: Sequence[Leak]
    """At most :data:`SHOWN_LEAKS`, worst first, with service and process loaded."""
    alerts: int
    alive: int
    silent: int
    """Alive, but without a report for ``silent_after_s``."""
    growing: int
    """With resident memory that grows steadily."""
    unknown: int
    """With too few censuses for a verdict."""
    deaths: int
    """Ends of the last day that were not meant."""


def fleet_state(now: datetime) -> FleetState:
    """Six queries at most, whatever the size of the fleet."""
    before = now - timedelta(seconds=get_settings().silent_after_s)
    active = Leak.objects.active().order_by()
    leaks = active.values("service", "kind", "object_type").distinct().count()
    return FleetState(
        leaks=leaks,
        worst=_worst() if leaks else (),
        alerts=Alert.objects.raised().count(),
        deaths=sum(counted_since(now - timedelta(days=1)).values()),
        **Process.objects.alive().aggregate(
            alive=Count("pk"),
            silent=Count("pk", filter=Q(last_seen_at__lt=before)),
            growing=Count("pk", filter=Q(growing_since__isnull=False)),
            unknown=Count("pk", filter=Q(leaks_known=False, outside=False)),
        ),
    )


def _worst() -> list[Leak]:
    order = (SEVERITY_RANK.desc(), F("time_to_exhaustion_s").asc(nulls_last=True), "-detected_at", "-pk")
    rows = Leak.objects.active().order_by(*order).values_list("pk", "service_id", "kind", "object_type")
    first: dict[tuple[object, ...], int] = {}
    for pk, *cause in rows[:MOST_READ]:
        first.setdefault(tuple(cause), pk)
    chosen = list(first.values())[:SHOWN_LEAKS]
    known = leaks_by_id(chosen)
    return [known[pk] for pk in chosen if pk in known]
