"""The peaks of jobs in two releases: from the hours in which only one of them ran. Two queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min

from memwatch.detection.releases.comparison import Measured, Peak, peak
from memwatch.models import Process, Release, WorkRollup
from memwatch.queries.work import HOUR, start_of_hour
from memwatch.records import histogram

MOST_HOURS = 24
"""Of each release: the last ones before it was replaced, and the first ones of the new one."""
MOST_RELEASES = 50

Span = tuple[datetime, datetime]


def peaks(before: Release, after: Release, now: datetime, most: int) -> tuple[list[Peak], bool]:
    """The names whose peaks differ most, and whether the releases ran at once, so that none is known."""
    spans = _spans(before, after, now)
    old, new = _hours(before.pk, spans)[-MOST_HOURS:], _hours(after.pk, spans)[:MOST_HOURS]
    if not old or not new:
        return [], before.pk in spans and after.pk in spans
    sides = _measured(before, old), _measured(after, new)
    found = [peak(*name, sides[0][name], sides[1][name]) for name in sides[0].keys() & sides[1].keys()]
    found.sort(key=lambda each: (-abs((each.after_mb or 0.0) - (each.before_mb or 0.0)), each.kind, each.name))
    return found[:most], False


def _spans(before: Release, after: Release, now: datetime) -> dict[int, Span]:
    """From the first start to the last sign of each release of the service around them."""
    services = {before.service_id, after.service_id}
    rows = Process.objects.filter(service__in=services, release__isnull=False, outside=False).order_by()
    spans = rows.values_list("release").annotate(Min("started_at"), Max("last_seen_at"), Max("ended_at"), Count("pk"))
    newest = sorted(spans, key=lambda row: row[1], reverse=True)
    return {
        release: (first, min(max(seen, ended or seen), now))
        for release, first, seen, ended, _processes in newest[:MOST_RELEASES]
        if release is not None
    }


def _hours(release: int, spans: dict[int, Span]) -> list[datetime]:
    """Starts of the whole hours in which no other release ran."""
    if release not in spans:
        return []
    first, last = spans[release]
    start = max(start_of_hour(first) + HOUR, start_of_hour(last) - timedelta(days=30))
    others = [span for key, span in spans.items() if key != release]
    found = []
    while start < last:
        if not any(begin < start + HOUR and end > start for begin, end in others):
            found.append(start)
        start += HOUR
    return found


def _measured(release: Release, hours: Sequence[datetime]) -> dict[tuple[str, str], Measured]:
    """By kind and name."""
    rows = WorkRollup.objects.filter(
        service=release.service_id, period=WorkRollup.Period.HOUR, start__in=hours, peak_calls__gt=0
    ).order_by()
    calls: dict[tuple[str, str], int] = defaultdict(int)
    most: dict[tuple[str, str], float] = defaultdict(float)
    counts: dict[tuple[str, str], histogram.Counts] = defaultdict(dict)
    for kind, name, number, highest, more in rows.values_list(
        "work__kind", "work__name", "peak_calls", "peak_kib_max", "peak_counts"
    ):
        calls[kind, name] += number
        most[kind, name] = max(most[kind, name], highest)
        histogram.add(counts[kind, name], more)
    return {key: (calls[key], counts[key], most[key]) for key in calls}
