"""Work as the metrics show it: by name for the busiest of each service, summed up for the others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max

from memwatch.models import WorkRollup, WorkTotal
from memwatch.queries.work import start_of_hour
from memwatch.records.work import OTHER

HOUR = timedelta(hours=1)


class Total(NamedTuple):
    """One view, task or command of a service, or all of a kind that have no row of their own."""

    service: str
    kind: str
    name: str
    calls: int
    kept_kib: int
    peak_kib: int | None
    """The highest rise in this hour and the one before; ``None`` where none was measured."""
    peak_span: str
    """Of that call, as :mod:`memwatch.records.traces` writes it; empty where none is known."""


def totals(now: datetime) -> list[Total]:
    """Every total with its peak, by service, kind and name. Two queries."""
    columns = ("service__name", "work__kind", "work__name", "calls", "kept_kib")
    rows = list(WorkTotal.objects.order_by(*columns[:3]).values_list(*columns))
    peaks = _peaks(now, ((service, kind, name) for service, kind, name, *_figures in rows))
    return [
        Total(service, kind, name, calls, kept, *peaks.get((service, kind, name), (None, "")))
        for service, kind, name, calls, kept in rows
    ]


def _peaks(now: datetime, known: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], tuple[int, str]]:
    own, found = set(known), dict[tuple[str, str, str], tuple[int, str]]()
    measured = WorkRollup.objects.filter(
        period=WorkRollup.Period.HOUR, start__gte=start_of_hour(now) - HOUR, start__lte=now, peak_calls__gt=0
    )
    names = measured.order_by().values_list("service__name", "work__kind", "work__name", "peak_trace")
    for service, kind, name, span, peak in names.annotate(Max("peak_kib_max")):
        key = (service, kind, name if (service, kind, name) in own else OTHER)
        found[key] = max((peak, span), found.get(key, (0, "")))
    return found
