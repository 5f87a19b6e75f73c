"""Reads what the rule for recycling looks at: the policies that have stopped themselves."""

from __future__ import annotations

from memwatch.alerts.inputs import RecyclingView
from memwatch.queries.recycling import stopped_policies


def stopped_recycling() -> tuple[RecyclingView, ...]:
    """One for each. One query."""
    return tuple(
        RecyclingView(
            service_id=policy.service_id,
            service=policy.service.name,
            reason=policy.stopped_reason,
            why=policy.stopped_why,
        )
        for policy in stopped_policies()
    )
