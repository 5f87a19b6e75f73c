"""Ends that processes have noticed of others of their host, as their reports bring them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max

from memwatch.detection.deaths import PROCESS, Facts, OomCounters, decide_all
from memwatch.models import Process, Snapshot
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.records.flight import Death, Flight
from memwatch.records.json_record import parse_time
from memwatch.services.deaths import explained
from memwatch.services.deaths.explained import Counted
from memwatch.transport.wire import Report

MAX_KEY = 450
"""Of a process's row."""
CLOCK_AHEAD = timedelta(minutes=10)
"""A process may be revived by its reports from now and so much on, whatever a hostile one says of its end."""


class Noticed(NamedTuple):
    """An end and who noticed it."""

    death: Death
    host: str
    at: datetime
    """By the clock of the host."""

    @property
    def key(self) -> str:
        return self.death.key

    @property
    def flight(self) -> Flight | None:
        return self.death.flight

    @property
    def weight(self) -> tuple[bool, bool, bool]:
        """How much it says, for two that noticed the same end."""
        death = self.death
        return death.status is not None, bool(death.kernel_line), death.flight is not None


def of_reports(reports: Iterable[Report], now: datetime) -> list[Noticed]:
    """One for each process that ended. A process may speak for its own host alone, and not for itself."""
    found: dict[str, Noticed] = {}
    for report in reports:
        for death in report.deaths:
            at = min(death.noticed_at, report.sent_at, now + CLOCK_AHEAD)
            one = Noticed(death, report.process.host, at)
            if death.key != report.process.key and _is_of_its_host(one):
                other = found.get(one.key)
                found[one.key] = one if other is None else max(one, other, key=lambda each: each.weight)
    return list(found.values())


def _is_of_its_host(one: Noticed) -> bool:
    if len(one.key) > MAX_KEY or not one.key.startswith(f"{one.host}:"):
        return False
    flight = one.flight
    return flight is None or (flight.host == one.host and one.key.startswith(f"{one.host}:{flight.pid}:"))


def settle(
    noticed: Sequence[Noticed],
    rows: Mapping[str, Process],
    *,
    heard: Mapping[str, datetime],
    services: Mapping[int, str],
    counted: Counted,
    now: datetime,
) -> set[Process]:
    """Note why these processes ended; which rows changed. Not saved. Five queries at most, however many ended.

    ``heard``: when the processes that have reported as well sent their last report. Who has reported since lives.
    """
    known = [(one, rows[one.key]) for one in noticed if one.key in rows]
    known = [(one, row) for one, row in known if row.host == one.host and not row.outside]
    if not known:
        return set()
    last = explained.last_snapshots(row for _one, row in known)
    by_host: dict[str, list[tuple[Noticed, Process]]] = defaultdict(list)
    for one, row in known:
        if not _has_reported_since(one, row, heard, last):
            by_host[one.host].append((one, row))
    explained_kills = explained.kills_explained(by_host, now)
    ended = {row.pk for _one, row in known}
    largest = _largest_mb(by_host, ended)
    silent = {host for host, ends in by_host.items() if any(one.death.status is None for one, _row in ends)}
    neighbours = explained.neighbours(silent, now) if silent else {}
    changed = set()
    for host, ends in by_host.items():
        beside = [other for other in neighbours.get(host, ()) if other.pk not in ended]
        facts = [_facts(one, row, last, largest.get(host), beside) for one, row in ends]
        verdicts = decide_all(facts, explained_kills.get(host, ()))
        for (one, row), each, verdict in zip(ends, facts, verdicts, strict=True):
            before = row.end_reason
            if explained.write(row, each, verdict, max(row.started_at, min(one.at, now)), now):
                changed.add(row)
                if row.end_reason != before:
                    explained.count(row, services, counted)
    return changed


def _has_reported_since(
    one: Noticed, row: Process, heard: Mapping[str, datetime], last: Mapping[int, Snapshot]
) -> bool:
    snapshot = last.get(row.pk)
    times = [heard.get(row.key), None if snapshot is None else snapshot.timestamp]
    return any(time is not None and time > one.at for time in times)


def _largest_mb(hosts: Iterable[str], ended: set[int]) -> dict[str, float]:
    """The resident memory of the largest process of each host that lives on. One query."""
    rows = Process.objects.alive().filter(host__in=list(hosts)).exclude(pk__in=ended).order_by()
    found = rows.values_list("host").annotate(Max("last_snapshot__rss_kib"))
    return {host: mb for host, kib in found if (mb := megabytes(kib)) is not None}


def _facts(
    one: Noticed, row: Process, last: Mapping[int, Snapshot], largest_mb: float | None, beside: Sequence[Process]
) -> Facts:
    death, flight = one.death, one.flight
    before, group_before = explained.counters_before(row, flight)
    return Facts(
        at=one.at,
        noticed_by=PROCESS,
        flight=flight,
        status=death.status,
        status_from=death.status_from,
        kernel_line=death.kernel_line,
        kernel_log=death.kernel_log,
        oom=OomCounters(before, death.oom_kills, group_before, death.oom_group_kills),
        rss_mb=explained.rss_mb(flight, last.get(row.pk)),
        limit_mb=explained.limit_mb(flight, last.get(row.pk)),
        largest_mb=largest_mb,
        stopped_with=0 if death.status is not None else explained.stopped_with(row, flight, beside),
    )


def noticed_at(process: Process) -> datetime | None:
    """When another process of its host noticed its end, by their clock; ``None`` where that is not how it is known."""
    found = process.end_evidence
    return parse_time("noticed_at", found["noticed_at"]) if found.get("noticed_by") == PROCESS else None
