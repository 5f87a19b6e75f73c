"""Compares the newest release of each service with the one before it, and stores what it changed."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from memwatch.alerts.releases import takes_more
from memwatch.conf import get_settings
from memwatch.detection.releases.result import Comparison, headline
from memwatch.models import Release
from memwatch.queries.releases.compare import compare, release_before
from memwatch.queries.releases.stored import running
from memwatch.services.locking import writing

OFTEN, SELDOM = timedelta(minutes=5), timedelta(hours=1)
"""Between two comparisons of a release: in its first day, and after that."""
YOUNG, OLD = timedelta(days=1), timedelta(days=14)
"""After so long the comparison is left as it is."""


def check(now: datetime | None = None) -> int:
    """Compare those that are due; how many were compared. Cheap while none is."""
    now, done = now or timezone.now(), 0
    for release in running():
        if _is_due(release, now):
            before = release_before(release)
            store(release, None if before is None else compare(before, release, now), now)
            done += 1
    return done


def store(release: Release, found: Comparison | None, now: datetime) -> None:
    """Keep the verdicts. When a release first takes more memory is noted once."""
    values: dict[str, Any] = {"compared_at": now}
    if found is not None:
        figures = {name: dataclasses.asdict(change) for name, change in found.figures.items()}
        values |= {"compared_with_id": found.before.id, "changes": {"figures": figures, "says": headline(found)}}
        if release.changed_at is None and takes_more(figures, get_settings()) is not None:
            values["changed_at"] = now
    with writing():
        Release.objects.filter(pk=release.pk).update(**values)


def _is_due(release: Release, now: datetime) -> bool:
    age = now - release.first_seen_at
    if release.compared_at is None:
        return True
    return age <= OLD and now - release.compared_at >= (OFTEN if age <= YOUNG else SELDOM)
