"""Reads what the rule for single jobs looks at: the names whose calls took much memory within the last hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from memwatch.alerts.inputs import JobView, Place
from memwatch.alerts.job_peaks import MIN_RISE_MB, UNUSUAL_MB
from memwatch.models import Process, WorkRollup
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.records import KIB_PER_MB, histogram, traces
from memwatch.services.rollups import DAY, HOUR, start_of_hour

MIN_CALLS = 20
"""Measured calls from which on 95 % of them say what is usual."""

_Name = tuple[int, int]
"""Service, name."""
_ROW = (
    "service", "service__name", "work", "work__kind", "work__name", "peak_kib_max", "peak_process", "peak_trace",
    "peak_rss_kib", "top_process",
)  # fmt: skip
_PLACE = (
    "pk", "host", "slot_number", "service__name", "last_snapshot__rss_kib", "last_snapshot__heap_limit_kib",
    "last_snapshot__heap_limit_source", "last_snapshot__cgroup_used_kib", "last_snapshot__cgroup_limit_kib",
)  # fmt: skip


def job_peaks(now: datetime) -> tuple[JobView, ...]:
    """What is noteworthy in this hour and the one before: a peak is forgotten when an hour has passed without one.

    One query where nothing is, three at most.
    """
    since = start_of_hour(now) - HOUR
    names: dict[_Name, dict[str, Any]] = {}
    rows = WorkRollup.objects.filter(
        period=WorkRollup.Period.HOUR, start__gte=since, start__lte=now, peak_kib_max__gte=MIN_RISE_MB * KIB_PER_MB
    )
    for row in rows.order_by("start", "pk").values(*_ROW):
        key = (row["service"], row["work"])
        names[key] = _joined(names[key], row) if key in names else row
    if not names:
        return ()
    places = _places(row[column] for row in names.values() for column in ("peak_process", "top_process"))
    usual = _usual(names, since)
    return tuple(_view(row, places, usual.get(key)) for key, row in names.items())


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The higher peak and the higher rise of both hours, each with its process."""
    higher = dict(one)
    for figure, place in (("peak_kib_max", "peak_process"), ("peak_rss_kib", "top_process")):
        if other[figure] >= one[figure]:
            higher.update({figure: other[figure], place: other[place]})
            if place == "peak_process":
                higher["peak_trace"] = other["peak_trace"]
    return higher


def _places(ids: Iterable[int | None]) -> dict[int, dict[str, Any]]:
    wanted = {pk for pk in ids if pk is not None}
    return {row["pk"]: row for row in Process.objects.filter(pk__in=wanted).values(*_PLACE)}


def _view(row: Mapping[str, Any], places: Mapping[int, Mapping[str, Any]], usual_kib: float | None) -> JobView:
    top = places.get(row["top_process"], {})
    last = {name.removeprefix("last_snapshot__"): value for name, value in top.items()}
    peak_kib, used_kib = row["peak_rss_kib"], last.get("cgroup_used_kib")
    # Of the container, the snapshot says how much is used at another moment, this process's share included.
    others_kib = None if used_kib is None else max(0, used_kib - (last.get("rss_kib") or 0))
    return JobView(
        service_id=row["service"],
        service=row["service__name"],
        kind=row["work__kind"],
        name=row["work__name"],
        rise_mb=row["peak_kib_max"] / KIB_PER_MB,
        rise_in=_place(places.get(row["peak_process"])),
        rise_trace=traces.trace_id(row["peak_trace"]),
        usual_mb=megabytes(usual_kib),
        peak_mb=peak_kib / KIB_PER_MB,
        peak_in=_place(top),
        limit_mb=megabytes(last.get("heap_limit_kib")),
        limit_source=last.get("heap_limit_source") or None,
        container_mb=None if others_kib is None else (peak_kib + others_kib) / KIB_PER_MB,
        container_limit_mb=megabytes(last.get("cgroup_limit_kib")),
    )


def _place(row: Mapping[str, Any] | None) -> Place | None:
    if not row:
        return None
    return Place(id=row["pk"], name=f"{row['service__name']}-{row['slot_number']} on {row['host']}")


def _usual(names: Mapping[_Name, Mapping[str, Any]], since: datetime) -> dict[_Name, float]:
    """What 95 % of calls do not exceed, in KiB, over the day before ``since``.

    Of the name itself where it was called often enough. Else of the other names of its service, unless its own few
    calls took more.
    """
    large = [key for key, row in names.items() if row["peak_kib_max"] >= UNUSUAL_MB * KIB_PER_MB]
    if not large:
        return {}
    counts: dict[int, dict[int, histogram.Counts]] = defaultdict(dict)
    rows = WorkRollup.objects.filter(
        period=WorkRollup.Period.HOUR, start__gte=since - DAY, start__lt=since, service__in={key[0] for key in large},
        peak_calls__gt=0,
    ).order_by()  # fmt: skip
    for service, work, more in rows.values_list("service", "work", "peak_counts"):
        histogram.add(counts[service].setdefault(work, {}), more)
    found = {}
    for service, work in large:
        value = _usual_of(counts[service], work)
        if value is not None:
            found[service, work] = value
    return found


def _usual_of(counts: Mapping[int, histogram.Counts], work: int) -> float | None:
    own = counts.get(work, {})
    if sum(own.values()) >= MIN_CALLS:
        return histogram.quantile(own, 0.95)
    others: histogram.Counts = {}
    for name, more in counts.items():
        if name != work:
            histogram.add(others, more)
    if sum(others.values()) < MIN_CALLS:
        return None
    return max(histogram.quantile(others, 0.95) or 0.0, histogram.quantile(own, 1.0) or 0.0)
