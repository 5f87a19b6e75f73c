"""The rule for processes that were killed or crashed: one alert for each service, however many of its workers ended."""

from __future__ import annotations

from collections.abc import Iterator

from memwatch.alerts.inputs import DeathsView, Finding, Fleet
from memwatch.conf import Settings
from memwatch.detection.deaths import OOM_CONTAINER, advice

TYPE = "process_killed"
FRESH_S = 900.0
"""The alert lasts for so long after the last such end."""
MANY = 3
"""So many in an hour are critical, and so is a single container that ran out of memory."""
_WORDS = {
    "oom_process": "out of memory",
    "oom_container": "out of memory with the container",
    "sigkill": "SIGKILL",
    "crash": "crash",
    "time_limit": "time limit",
}


class ProcessKilledRule:
    """Processes of a service were killed or crashed within the last minutes."""

    def findings(self, fleet: Fleet, limits: Settings) -> Iterator[Finding]:
        for deaths in fleet.deaths:
            critical = deaths.in_hour >= MANY or OOM_CONTAINER in deaths.reasons
            yield Finding(
                type=TYPE,
                subject=deaths.subject,
                severity="critical" if critical else "high",
                message=_message(deaths),
                value=float(deaths.in_hour),
                threshold=None,
                service_id=deaths.service_id,
                process_id=deaths.last.id,
            )


def _message(deaths: DeathsView) -> str:
    said = [f"{deaths.last.name}: {deaths.sentence or 'it ended, and its evidence is gone.'}"]
    if deaths.in_hour > 1:
        ranked = sorted(deaths.reasons.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{count} {_WORDS.get(reason, reason)}" for reason, count in ranked)
        said.append(f"In the last hour {deaths.in_hour} processes of {deaths.service} ended: {reasons}.")
    said += advice(deaths.reason)[:1]
    return " ".join(said)
