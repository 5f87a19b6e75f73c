"""Memory by the hour of what may come to its end: of growing processes, of containers, of hosts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator
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
_COLUMNS = ("rss_kib", "cgroup_used_kib")


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
    """Of the living that have taken a good part of their limit. Two queries, and one for each batch of roll-ups.

    What a host's processes took includes those that have ended, or recycling would look like growth.
    """
    found: list[Course] = []
    sources: dict[int, list[tuple[Course, str]]] = {}
    rows = _last_figures()
    for course, column, processes in (*_of_processes(rows), *_of_containers(rows)):
        found.append(course)
        for pk in processes:
            sources.setdefault(pk, []).append((course, column))
    for pk, start, _samples, figures in _hours(sources, now):
        hour = start.timestamp() // 3600
        for course, column in sources[pk]:
            if triple := figures[column]:
                course.used[hour] = max(course.used.get(hour, 0.0), triple[2])
    hosts = list(_of_hosts(rows))
    _add_up(hosts, now)
    return [*found, *hosts]


def _add_up(hosts: Collection[Course], now: datetime) -> None:
    """What all processes of each host took, the ended ones for as long as they lived. One query, and the roll-ups."""
    by_host = {course.host: course for course in hosts}
    known = Process.objects.filter(host__in=by_host, outside=False, last_seen_at__gte=now - LOOK_BACK).order_by()
    places = {
        pk: (host, service, slot)
        for pk, host, service, slot in known.values_list("pk", "host", "service", "slot_number")
    }
    taken: dict[tuple[str, float], float] = {}
    sampled: dict[tuple[str, float], dict[tuple[int, int], int]] = {}
    for pk, start, samples, figures in _hours(places, now):
        if triple := figures["rss_kib"]:
            host, service, slot = places[pk]
            hour = host, start.timestamp() // 3600
            taken[hour] = taken.get(hour, 0.0) + samples * triple[1]
            slots = sampled.setdefault(hour, {})
            slots[service, slot] = slots.get((service, slot), 0) + samples
    for (host, number), total in taken.items():  # a slot that was there all the hour has all samples
        by_host[host].used[number] = total / max(sampled[host, number].values())


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


def _of_hosts(rows: Iterable[_Last]) -> Iterator[Course]:
    """The watched processes together, of hosts whose memory is the only limit."""
    hosts: dict[str, list[_Last]] = {}
    for row in rows:
        if row.rss and row.limit and row.source == HOST:
            hosts.setdefault(row.host, []).append(row)
    for host, own in hosts.items():
        limit = max(row.limit or 0 for row in own)
        if sum(row.rss or 0 for row in own) >= LEAST_SHARE * limit:
            largest = max(own, key=lambda row: row.rss or 0).process
            yield Course(Forecast.Kind.HOST, host, host, largest, limit)


def _hours(
    processes: Iterable[int], now: datetime
) -> Iterator[tuple[int, datetime, int, dict[str, list[float] | None]]]:
    """Process, hour, snapshots, and the columns that count, each as least, mean and most."""
    ids = sorted(processes)
    for begin in range(0, len(ids), MOST):
        rows = SnapshotRollup.objects.filter(
            process__in=ids[begin : begin + MOST], period=_HOUR, start__gte=now - LOOK_BACK
        )
        columns = "process", "start", "samples", *(f"figures__{column}" for column in _COLUMNS)
        for pk, start, samples, *triples in rows.order_by().values_list(*columns).iterator(chunk_size=2_000):
            yield pk, start, samples, dict(zip(_COLUMNS, triples, strict=True))
