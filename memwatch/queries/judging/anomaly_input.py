"""What anomaly detection reads: the last minutes of all processes, hours of services, and what changed when."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Avg, Max, Min

from memwatch.detection.anomalies import weekly
from memwatch.detection.anomalies.figures import WATCHED, Values, values_of
from memwatch.detection.anomalies.siblings import Member
from memwatch.diagnosis.context import forks
from memwatch.models import Process, Release, ServiceHour, Snapshot, SnapshotRollup

HOUR = timedelta(hours=1)
CHUNK = 2_000
"""Rows in memory at a time."""
JOBS = ("requests_handled", "tasks_handled")
_LEVELS = tuple(
    sorted({column for each in WATCHED.values() if not each.total for column in (each.column, each.less) if column})
)
_TOTALS = tuple(sorted({each.column for each in WATCHED.values() if each.total} | set(JOBS)))
_AGGREGATES: dict[str, Any] = {
    **{f"{column}__avg": Avg(column) for column in _LEVELS},
    **{f"{column}__min": Min(column) for column in _TOTALS},
    **{f"{column}__max": Max(column) for column in _TOTALS},
}


def jobs_of(rises: Mapping[str, float | None]) -> float | None:
    """Requests and tasks; ``None`` where neither is counted."""
    known = [rise for column in JOBS if (rise := rises.get(column)) is not None]
    return sum(known) if known else None


def members(since: datetime, now: datetime) -> tuple[list[Member], dict[int, Process]]:
    """The living processes with their figures since then, and their rows. Two queries."""
    alive = Process.objects.alive().filter(outside=False, last_seen_at__gte=since).select_related("service", "release")
    rows = {process.pk: process for process in alive}
    found = []
    snapshots = Snapshot.objects.filter(timestamp__gte=since, timestamp__lte=now, process__ended_at=None).order_by()
    aggregated: Iterable[Any] = snapshots.values("process").annotate(**_AGGREGATES)
    for row in aggregated:
        process = rows.get(row["process"])
        if process is None:
            continue
        rises = {column: _less(row[f"{column}__max"], row[f"{column}__min"]) for column in _TOTALS}
        jobs = jobs_of(rises)
        values = values_of({column: row[f"{column}__avg"] for column in _LEVELS}, rises, jobs)
        begin = min(process.started_at, process.first_seen_at)  # a host's clock may be ahead
        group = (process.service_id, process.release_id, forks(process.program, process.command_line.split()))
        found.append(Member(process.pk, group, (now - begin).total_seconds(), values, jobs))
    return found, rows


def _less(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low


@dataclasses.dataclass(frozen=True, slots=True)
class SeenHour:
    """An hour of a service as its roll-ups have it."""

    values: Values
    age_s: float
    jobs: float | None


def hour_of_services(start: datetime) -> dict[int, SeenHour]:
    """By service, of those with settled workers then. One query."""
    workers: dict[int, list[tuple[Values, float, float | None]]] = {}
    rows = SnapshotRollup.objects.filter(period=SnapshotRollup.Period.HOUR, start=start, process__outside=False)
    columns = (
        "figures", "process__service", "process__started_at", "process__first_seen_at", "process__program",
        "process__command_line",
    )  # fmt: skip
    for figures, service, started_at, first_seen_at, program, command_line in (
        rows.order_by().values_list(*columns).iterator(chunk_size=CHUNK)
    ):
        age_s = (start - min(started_at, first_seen_at)).total_seconds()
        if age_s < weekly.SETTLED_S or forks(program, command_line.split()):
            continue
        rises = {column: figures[column][2] - figures[column][0] for column in _TOTALS if figures.get(column)}
        jobs = jobs_of(rises)
        means = {column: figures[column][1] for column in _LEVELS if figures.get(column)}
        workers.setdefault(service, []).append((values_of(means, rises, jobs), age_s, jobs))
    found = {}
    for service, own in workers.items():
        ages = weekly.of_workers({"age": age_s} for _, age_s, _ in own)
        jobs_each = weekly.of_workers({"jobs": jobs} for _, _, jobs in own if jobs is not None)
        values = weekly.of_workers(values for values, _, _ in own)
        found[service] = SeenHour(values, ages["age"], jobs_each.get("jobs"))
    return found


def number_of(start: datetime) -> int:
    """Hours since the epoch."""
    return int(start.timestamp() // 3600)


def hours_before(services: Collection[int], start: datetime) -> dict[int, dict[int, weekly.Hour]]:
    """Of each service the hours that one is compared with, by number. Two queries.

    Only hours at the same time of day have their figures; the differences of the last weeks are enough of the others.
    """
    found: dict[int, dict[int, weekly.Hour]] = {service: {} for service in services}
    rows = ServiceHour.objects.filter(service__in=services, start__lt=start).order_by()
    lately = rows.filter(start__gte=start - weekly.TREND_KEPT * HOUR)
    without = "service", "start", "age_s", "fresh", "differences"
    for service, at, age_s, fresh, differences in lately.values_list(*without).iterator(chunk_size=CHUNK):
        number = number_of(at)
        found[service][number] = weekly.Hour(number, {}, age_s, fresh, differences)
    compared = rows.filter(start__in=[start - back * HOUR for back in weekly.COMPARED])
    columns = "service", "start", "values", "age_s", "fresh", "differences"
    for service, at, values, age_s, fresh, differences in compared.values_list(*columns).iterator(chunk_size=CHUNK):
        number = number_of(at)
        found[service][number] = weekly.Hour(number, values, age_s, fresh, differences)
    return found


def usual_jobs(service: int, start: datetime) -> float | None:
    """Of a worker in the same hour of the weeks before."""
    hours = [start - weeks * 7 * 24 * HOUR for weeks in range(1, weekly.WEEKS_BACK + 1)]
    rows = ServiceHour.objects.filter(service=service, start__in=hours, jobs__isnull=False)
    jobs = weekly.of_workers({"jobs": each} for each in rows.values_list("jobs", flat=True) if each is not None)
    return jobs.get("jobs")


BEFORE, AFTER = timedelta(hours=2), timedelta(minutes=30)
"""What happened so long before and after the beginning is named."""
_SETTINGS = (
    ("python", "Python"), ("server_settings", "the server's settings"), ("allocator_settings", "allocator settings"),
    ("installation_id", "installed distributions"),
)  # fmt: skip


def changes_at(service: int, since: datetime, process: Process | None = None) -> list[dict[str, str]]:
    """Releases, restarts and changed settings about that time, as ``{"kind", "at", "says"}``, in order."""
    window = (since - BEFORE, since + AFTER)
    found = [
        {"kind": "release", "at": at.isoformat(), "says": f"release {name} was first seen"}
        for name, at in Release.objects.filter(service=service, first_seen_at__range=window).values_list(
            "name", "first_seen_at"
        )
    ]
    started = Process.objects.filter(service=service, outside=False, started_at__range=window)
    if process is not None:
        started = started.filter(host=process.host, slot_number=process.slot_number)
    begun = list(started.order_by("started_at")[:500])
    if begun:
        one = process is not None or len(begun) == 1
        says = "the process was started" if one else f"{len(begun)} processes were started"
        found.append({"kind": "restart", "at": begun[0].started_at.isoformat(), "says": says})
        found.extend(_changed_settings(begun[0]))
    return sorted(found, key=lambda change: change["at"])


def _changed_settings(process: Process) -> Iterable[dict[str, str]]:
    """What its predecessor in the slot had otherwise."""
    earlier = Process.objects.filter(
        service=process.service_id, host=process.host, slot_number=process.slot_number,
        started_at__lt=process.started_at,
    ).order_by("-started_at").first()  # fmt: skip
    if earlier is None:
        return
    for name, label in _SETTINGS:
        before, after = getattr(earlier, name), getattr(process, name)
        if before != after and before not in (None, "", {}):
            yield {"kind": "settings", "at": process.started_at.isoformat(), "says": f"{label} changed"}
