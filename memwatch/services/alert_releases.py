"""Reads what the rule for releases looks at: the news of the last day."""

from __future__ import annotations

from datetime import datetime

from memwatch.alerts.inputs import ReleaseView
from memwatch.queries.releases.stored import news


def changed_releases(now: datetime) -> tuple[ReleaseView, ...]:
    """One for each that still runs. One query."""
    return tuple(
        ReleaseView(
            id=release.pk,
            service_id=release.service_id,
            service=release.service.name,
            name=release.name,
            before=release.compared_with.name if release.compared_with else "the release before",
            figures=release.changes.get("figures") or {},
            says=str(release.changes.get("says") or "takes more memory"),
        )
        for release in news(now)
    )
