"""The rule for policies of recycling that have stopped themselves: what they were meant for is not achieved."""

from __future__ import annotations

from collections.abc import Iterator

from memwatch.alerts.inputs import Finding, Fleet
from memwatch.conf import Settings
from memwatch.detection.recycling import NOT_POSSIBLE

TYPE = "recycling_useless"


class RecyclingUselessRule:
    """Recycling the workers of a service gains nothing, or cannot be done."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for policy in fleet.recycling:
            does = "cannot recycle its workers" if policy.reason == NOT_POSSIBLE else "recycling does not help"
            yield Finding(
                type=TYPE,
                subject=policy.subject,
                severity="high",
                message=f"{policy.service}: {does}, and has stopped. {policy.why}",
                value=1.0,
                threshold=None,
                service_id=policy.service_id,
            )
