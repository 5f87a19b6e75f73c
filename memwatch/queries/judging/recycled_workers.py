"""The lives of recycled workers: processes that ended after a short time, having done some work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Count, F, Q, QuerySet

from memwatch.models import Process

WORKED = Q(last_snapshot__requests_handled__gt=0) | Q(last_snapshot__tasks_handled__gt=0)
"""A command that does one job grows while it does it, and ends: that is no recycled worker."""


def _short_lives(since: datetime, longest: timedelta) -> QuerySet[Process]:
    ended = Process.objects.ended().filter(outside=False, ended_at__gte=since)
    return ended.filter(WORKED, ended_at__lte=F("started_at") + longest).order_by()


def recycled_services(*, since: datetime, now: datetime, longest: timedelta, least: int, generations: int) -> set[int]:
    """Ids of the services whose workers are replaced within ``longest``.

    At least ``least`` such lives ended since, and ``generations`` for each of the processes that is as young now.
    """
    young = Process.objects.alive().filter(outside=False, started_at__gt=now - longest).order_by()
    slots = dict(young.values_list("service").annotate(Count("pk")))
    ended = _short_lives(since, longest).values_list("service").annotate(Count("pk"))
    return {pk for pk, lives in ended if lives >= max(least, generations * slots.get(pk, 0))}


def newest_lives(service: int, *, since: datetime, longest: timedelta, most: int) -> Sequence[Process]:
    """The service's lives that ended last, oldest first."""
    newest = _short_lives(since, longest).filter(service=service).order_by("-ended_at", "-pk")[:most]
    return list(newest)[::-1]
