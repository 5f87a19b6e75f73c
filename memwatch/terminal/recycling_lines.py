"""How the recycling of each service stands, in one line each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from memwatch.models import Recycle, RecyclingPolicy
from memwatch.queries import recycling

SINCE = timedelta(days=7)


def lines(now: datetime, service: str | None = None) -> tuple[str, ...]:
    """E.g. ``web: act; 3 recycled, 1 left alone in the last week``. Two queries."""
    totals = recycling.totals_since(now - SINCE)
    rows = recycling.policies().exclude(mode=RecyclingPolicy.Mode.OFF)
    if service is not None:
        rows = rows.filter(service__name=service)
    return tuple(_line(policy, totals.get(policy.service_id, {})) for policy in rows)


def _line(policy: RecyclingPolicy, totals: Mapping[str, int]) -> str:
    ends = ", ".join(f"{totals[state]} {label}" for state, label in Recycle.State.choices if state in totals)
    mode = f"{policy.mode}, stopped itself: {policy.stopped_why}" if policy.stopped_at else policy.mode
    return f"{policy.service.name}: {mode}; {ends or 'no worker chosen'} in the last week"
