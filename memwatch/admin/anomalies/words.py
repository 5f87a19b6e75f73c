"""Anomalies and forecasts as the pages say them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from memwatch.models import Forecast

WEEK = timedelta(days=6)


def interval(forecast: Forecast, now: datetime) -> str:
    """``likely between Tuesday 14:00 and Thursday 03:00``, in the current time zone."""
    begin = clock(max(forecast.earliest, now), now)
    if forecast.latest is None:
        return _("not before %s, perhaps never") % begin
    return _("likely between %(begin)s and %(end)s") % {"begin": begin, "end": clock(forecast.latest, now)}


def clock(at: datetime, now: datetime) -> str:
    """The weekday and the time of what is near, the date of what is not."""
    local = timezone.localtime(at)
    if at - now < timedelta(minutes=1):
        return _("now")
    return date_format(local, "l H:i") if at - now < WEEK else date_format(local, "j F")
