"""The last hours of services at a glance: what the overview draws beside each name.

A fleet of thousands of processes would be millions of snapshots. So of each service only some processes are looked at,
the leaking and the largest first, at two dozen times each, found by their sequence numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import nlargest
from statistics import fmean
from typing import NamedTuple

from django.db.models import Min, Q

from memwatch.conf import get_settings
from memwatch.detection.statistics.estimators import theil_sen
from memwatch.models import Snapshot
from memwatch.models.functions import Moment
from memwatch.queries.processes.fleet import ProcessFigures
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.records import KIB_PER_MB

WINDOW = timedelta(hours=1)
STRETCHES = 12
"""Of each the least is taken."""
LEAST_SPAN = timedelta(minutes=10)
"""Between the first and the last stretch; a younger process grows at no rate worth a figure."""


def growth_mb_per_hour(now: datetime) -> dict[int, float]:
    """MB an hour of RSS between the floors of the first and the last stretch of the last hour, by process id.

    The stretch in which a process was first seen is left out where others are there: it was still loading.
    Processes watched for under ten minutes are missing. One query for the whole fleet.
    """
    length = WINDOW / STRETCHES
    begin = now - WINDOW
    floors = {
        f"floor_{number}": Min(
            "rss_kib", filter=Q(timestamp__gte=begin + number * length, timestamp__lt=begin + (number + 1) * length)
        )
        for number in range(STRETCHES)
    }
    rows = Snapshot.objects.filter(timestamp__gte=begin, process__ended_at=None).order_by()
    found = {}
    for process, *own in rows.values("process").annotate(**floors).values_list("process", *floors):
        rate = _rate(dict(enumerate(own)))
        if rate is not None:
            found[process] = rate
    return found


def _rate(floors: Mapping[int, int | None]) -> float | None:
    """MB an hour, from KiB by the number of the stretch."""
    known = [(number, floor) for number, floor in floors.items() if floor is not None]
    if known and known[0][0] > 0:
        known = known[1:]
    if len(known) < 2:
        return None
    (first, before), (last, after) = known[0], known[-1]
    span = (last - first) * (WINDOW / STRETCHES)
    if span < LEAST_SPAN:
        return None
    return (megabytes(after - before) or 0.0) / (span / timedelta(hours=1))


LOOK_BACK = timedelta(hours=6)
TIMES = 24
MOST_PROCESSES = 60
LEAST_OF_A_SERVICE = 2
WARM_UP_S = 300.0
LEAST_POINTS = 6
LEAST_SPAN_S = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Recent:
    """The last hours of one service."""

    rss_mb: tuple[float, ...]
    """Mean RSS of the processes looked at, oldest first, at most :data:`TIMES`."""
    growth_mb_per_hour: float | None
    """RSS of the process that grows fastest (Theil-Sen); ``None`` where none was seen long enough after its start."""
    span_s: float
    """From the first figure to the last."""
    looked_at: int
    """Processes."""


class Candidate(NamedTuple):
    """A process that may be looked at: the leaking and the largest come first."""

    open_leaks: int
    rss_kib: float
    pk: int
    service_id: int
    started_at: datetime
    last_seq: int


def recent(items: Sequence[ProcessFigures], now: datetime) -> dict[int, Recent]:
    """By service id, of these processes with their figures. One query."""
    return recent_of(
        (
            Candidate(
                open_leaks=item.open_leaks,
                rss_kib=((item.figures.rss_mb if item.figures else None) or 0.0) * KIB_PER_MB,
                pk=item.process.pk,
                service_id=item.process.service_id,
                started_at=item.process.started_at,
                last_seq=item.process.last_seq,
            )
            for item in items
            if not item.process.outside
        ),
        now,
    )


def recent_of(candidates: Iterable[Candidate], now: datetime) -> dict[int, Recent]:
    """The same of these, without those seen from outside: a parent does no work, and its snapshots have no numbers."""
    chosen = _chosen(candidates)
    alike: dict[tuple[int, ...], list[int]] = {}
    for each in chosen:
        if numbers := _numbers(each.last_seq):
            alike.setdefault(numbers, []).append(each.pk)
    wanted = Q()
    for numbers, pks in alike.items():
        wanted |= Q(process__in=pks, seq__in=numbers)
    if not wanted:
        return {}
    # That they are these processes' is said once more: of a long OR, PostgreSQL would rather read the whole table.
    mine = Snapshot.objects.filter(process__in=[pk for pks in alike.values() for pk in pks])
    rows = mine.filter(wanted, timestamp__gte=now - LOOK_BACK, rss_kib__isnull=False).order_by("timestamp")
    series: dict[int, list[tuple[float, float]]] = {}
    for pk, at, kib in rows.values_list("process_id", Moment("timestamp"), "rss_kib"):
        series.setdefault(pk, []).append((at.timestamp(), megabytes(kib) or 0.0))
    by_service: dict[int, dict[int, list[tuple[float, float]]]] = {}
    begins = {each.pk: each.started_at.timestamp() for each in chosen}
    for each in chosen:
        if each.pk in series:
            by_service.setdefault(each.service_id, {})[each.pk] = series[each.pk]
    return {service: _recent(own, begins) for service, own in by_service.items()}


def _chosen(candidates: Iterable[Candidate]) -> list[Candidate]:
    by_service: dict[int, list[Candidate]] = {}
    for each in candidates:
        by_service.setdefault(each.service_id, []).append(each)
    share = max(LEAST_OF_A_SERVICE, MOST_PROCESSES // max(1, len(by_service)))
    return [each for own in by_service.values() for each in nlargest(share, own)]


def _numbers(last: int) -> tuple[int, ...]:
    """Evenly so many sequence numbers of the time looked back on, up to the last."""
    if last < 0:
        return ()
    first = max(0, last - round(LOOK_BACK.total_seconds() / get_settings().snapshot_interval))
    count = min(TIMES, last - first + 1)
    return tuple(sorted({first + round((last - first) * place / max(1, count - 1)) for place in range(count)}))


def _recent(series: dict[int, list[tuple[float, float]]], begins: dict[int, float]) -> Recent:
    first = min(own[0][0] for own in series.values())
    last = max(own[-1][0] for own in series.values())
    width = (last - first) / TIMES or 1.0
    slopes = [slope for pk, own in series.items() if (slope := _slope(own, begins[pk])) is not None]
    return Recent(
        rss_mb=tuple(_means(series, first, width)),
        growth_mb_per_hour=max(slopes, default=None),
        span_s=last - first,
        looked_at=len(series),
    )


def _means(series: dict[int, list[tuple[float, float]]], first: float, width: float) -> Iterator[float]:
    """The mean of all at evenly so many times; each keeps its last value until it has a new one."""
    known: dict[int, float] = {}
    for slot in range(TIMES):
        end = first + (slot + 1) * width
        for pk, own in series.items():
            past = [value for at, value in own if at <= end]
            if past:
                known[pk] = past[-1]
        yield fmean(known.values())


def _slope(points: list[tuple[float, float]], begin: float) -> float | None:
    """MB an hour after the warm-up: what a process loads at its start would be hundreds of MB an hour."""
    points = [point for point in points if point[0] >= begin + WARM_UP_S]
    if len(points) < LEAST_POINTS or points[-1][0] - points[0][0] < LEAST_SPAN_S:
        return None
    return theil_sen([at for at, _value in points], [value for _at, value in points]).slope * 3600
