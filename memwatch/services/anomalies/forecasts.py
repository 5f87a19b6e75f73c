"""Forecasts: made again each hour, of all that may come to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from memwatch.detection.exhaustion.forecast import FEWEST, forecast
from memwatch.models import Forecast
from memwatch.queries.judging.forecast_input import courses
from memwatch.services import event_cursors
from memwatch.services.locking import writing

EVERY = timedelta(hours=1)
"""Roll-ups come once an hour."""
LAST = "forecasts"
"""The event cursor of the last run."""

_KEY = ("kind", "subject")
_MADE = ("host", "process", "used_kib", "limit_kib", "made_at", "earliest", "likely", "latest")


def refresh(now: datetime | None = None) -> int:
    """Make the forecasts of now, and delete those of what has ended or grows no more; how many there are."""
    now = now or timezone.now()
    last = event_cursors.reached(LAST, now)
    if last is not None and now - EVERY < last:
        return Forecast.objects.count()
    rows = []
    for course in courses(now):
        if len(course.used) < FEWEST:
            continue
        hours = sorted(course.used)
        values = [course.used[hour] for hour in hours]
        found = forecast(hours, values, course.limit_kib)
        if found is None:
            continue
        newest = datetime.fromtimestamp(hours[-1] * 3600, UTC)
        rows.append(
            Forecast(
                kind=course.kind, subject=course.subject, host=course.host, process_id=course.process_id,
                used_kib=round(values[-1]), limit_kib=round(course.limit_kib), made_at=now,
                earliest=newest + timedelta(hours=found.earliest_h),
                likely=newest + timedelta(hours=found.likely_h),
                latest=None if found.latest_h is None else newest + timedelta(hours=found.latest_h),
            )
        )  # fmt: skip
    with writing():
        Forecast.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=_KEY, update_fields=_MADE, batch_size=500
        )
        Forecast.objects.exclude(made_at=now).delete()
        event_cursors.reach(LAST, now)
    return len(rows)
