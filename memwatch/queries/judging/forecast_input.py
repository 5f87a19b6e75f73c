"""Memory by the hour of what may come to its end: of growing processes, of containers, of hosts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from memwatch.models import Forecast, Process, Snapshot, SnapshotRollup

LOOK_BACK = timedelta(days=7)
MOST = 500
"""Processes of which forecasts are made in one run, the largest share of their limit first."""
LEAST_SHARE = 0.4
"""Of the limit: what has taken less is far from its end."""
HOST = "host"

_HOUR = SnapshotRollup.Period.HOUR


@dataclasses.dataclass(slots=True)
class Course:
    """One thing whose memory may come to its end, by hours since the epoch."""

    kind: str
    subject: str
    host: str
    process_id: int
    limit_kib: float
    used: dict[float, float] = dataclasses.field(default_factory=dict)


def courses(now: datetime) -> list[Course]:
    """Of the living that have taken a good part of their limit. Two queries, and one for each batch of roll-ups."""
    found: list[Course] = []
    sources: dict[int, list[tuple[Course, str]]] = {}
    rows = _last_figures()
    for course, column, processes in (*_of_processes(rows), *_of_containers(rows), *_of_hosts(rows)):
        found.append(course)
        for pk in processes:
            sources.setdefault(pk, []).append((course, column))
    for pk, start, figures in _hours(sources, now):
        hour = start.timestamp() // 3600
        for course, column in sources[pk]:
            if triple := figures.get(column):
                before = course.used.get(hour, 0.0)
                together = course.kind == Forecast.Kind.HOST
                course.used[hour] = before + triple[1] if together else max(before, triple[2])
    return found


class _Last(NamedTuple):
    """What a process said last, in KiB."""

    process: int
    host: str
    rss: int | None
    limit: int | None
    source: str
    used: int | None
    allowed: int | None


Found = Iterator[tuple[Course, str, list[int]]]
"""With the column that counts, and the processes that report it."""


def _last_figures() -> list[_Last]:
    alive = Process.objects.alive().filter(outside=False, last_snapshot__isnull=False).order_by()
    columns = (
        "process", "process__host", "rss_kib", "heap_limit_kib", "heap_limit_source", "cgroup_used_kib",
        "cgroup_limit_kib",
    )  # fmt: skip
    rows = Snapshot.objects.filter(pk__in=alive.values("last_snapshot")).order_by()
    return list(map(_Last._make, rows.values_list(*columns)))


def _of_processes(rows: Iterable[_Last]) -> Found:
    near = [
        (row.rss / row.limit, row)
        for row in rows
        if row.rss and row.limit and row.source != HOST and row.rss >= LEAST_SHARE * row.limit
    ]
    for _share, row in sorted(near, key=lambda each: (-each[0], each[1].process))[:MOST]:
        course = Course(Forecast.Kind.PROCESS, str(row.process), row.host, row.process, row.limit or 0)
        yield course, "rss_kib", [row.process]


def _of_containers(rows: Iterable[_Last]) -> Found:
    """Processes of a host with one limit are taken to share their container."""
    shared: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        if row.used and row.allowed and row.used >= LEAST_SHARE * row.allowed:
            shared.setdefault((row.host, row.allowed), []).append(row.process)
    for (host, allowed), processes in shared.items():
        course = Course(Forecast.Kind.CONTAINER, f"{host}:{allowed}", host, processes[0], allowed)
        yield course, "cgroup_used_kib", processes


def _of_hosts(rows: Iterable[_Last]) -> Found:
    """The watched processes together, of hosts whose memory is the only limit."""
    hosts: dict[str, list[_Last]] = {}
    for row in rows:
        if row.rss and row.limit and row.source == HOST:
            hosts.setdefault(row.host, []).append(row)
    for host, own in hosts.items():
        limit = max(row.limit or 0 for row in own)
        if sum(row.rss or 0 for row in own) >= LEAST_SHARE * limit:
            largest = max(own, key=lambda row: row.rss or 0).process
            yield Course(Forecast.Kind.HOST, host, host, largest, limit), "rss_kib", [row.process for row in own]


def _hours(processes: Iterable[int], now: datetime) -> Iterable[tuple[int, datetime, dict[str, list[float]]]]:
    ids = sorted(processes)
    for begin in range(0, len(ids), MOST):
        rows = SnapshotRollup.objects.filter(
            process__in=ids[begin : begin + MOST], period=_HOUR, start__gte=now - LOOK_BACK
        )
        yield from rows.order_by().values_list("process", "start", "figures").iterator(chunk_size=2_000)
