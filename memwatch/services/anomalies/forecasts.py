"""Forecasts: made again each hour, of all that may come to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from memwatch.detection.forecast import FEWEST, forecast
from memwatch.models import Forecast
from memwatch.queries.judging.forecast_input import courses
from memwatch.services.locking import writing

EVERY = timedelta(hours=1)
"""Roll-ups come once an hour."""


def refresh(now: datetime | None = None) -> int:
    """Make the forecasts of now, and delete those of what has ended or grows no more; how many there are."""
    now = now or timezone.now()
    newest = Forecast.objects.order_by("-made_at").values_list("made_at", flat=True).first()
    if newest is not None and now - EVERY < newest <= now:
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
        last = datetime.fromtimestamp(hours[-1] * 3600, UTC)
        rows.append(
            Forecast(
                kind=course.kind, subject=course.subject, host=course.host, process_id=course.process_id,
                used_kib=round(values[-1]), limit_kib=round(course.limit_kib), made_at=now,
                earliest=last + timedelta(hours=found.earliest_h),
                likely=last + timedelta(hours=found.likely_h),
                latest=None if found.latest_h is None else last + timedelta(hours=found.latest_h),
            )
        )  # fmt: skip
    with writing():
        Forecast.objects.all().delete()
        Forecast.objects.bulk_create(rows, batch_size=500)
    return len(rows)
