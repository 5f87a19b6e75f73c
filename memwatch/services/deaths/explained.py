"""Facts of ends from rows and records, and what is written of them: the reason and the evidence, once."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from django.db.models import Q

from memwatch.detection.deaths import UNKNOWN, OomCounters, Verdict, evidence
from memwatch.detection.deaths.facts import Facts
from memwatch.models import Process, Snapshot
from memwatch.queries.deployment.counters import DEATHS, label_text
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.records.flight import Flight

RECENT = timedelta(minutes=15)
"""Kills that the kernel has counted explain ends that are at most so far apart."""
MOST_KNOWN = 1_000

Counted = Tally[tuple[str, str]]
"""By the name and the labels of a counter."""
End = Process.End
_STOPPED = (End.STOPPED, End.GOODBYE)
_BEFORE = timedelta(seconds=10)
"""So long before its last sign of life may the others have been stopped."""


def last_snapshots(processes: Iterable[Process]) -> dict[int, Snapshot]:
    """The last snapshot of each, by the process's id; some of its columns. One query."""
    ids = {process.last_snapshot_id for process in processes if process.last_snapshot_id is not None}
    rows = Snapshot.objects.filter(pk__in=ids).only("process_id", "timestamp", "rss_kib", "heap_limit_kib")
    return {row.process_id: row for row in rows.order_by()}


def rss_mb(flight: Flight | None, last: Snapshot | None) -> float | None:
    """The last resident memory that is known."""
    if flight is not None and flight.rss_seconds:
        return flight.rss_seconds[-1][1]
    if flight is not None and flight.rss_mb is not None:
        return flight.rss_mb
    return None if last is None else megabytes(last.rss_kib)


def limit_mb(flight: Flight | None, last: Snapshot | None) -> float | None:
    """What the process could grow to."""
    if flight is not None and flight.limit_mb is not None:
        return flight.limit_mb
    return None if last is None else megabytes(last.heap_limit_kib)


def counters_before(process: Process, flight: Flight | None) -> tuple[int | None, int | None]:
    """What the kernel had counted when the process last looked: kills of processes, and of whole containers."""
    if flight is not None and flight.oom_kills is not None:
        return flight.oom_kills, flight.oom_group_kills
    return process.oom_kills, process.oom_group_kills


def neighbours(hosts: Iterable[str], now: datetime) -> dict[str, list[Process]]:
    """The processes of each host that live, or fell silent or were stopped within the last minutes. One query."""
    ended = Q(end_reason__in=[*Process.SILENT_ENDS, *_STOPPED], ended_at__gte=now - RECENT)
    rows = Process.objects.filter(Q(ended_at=None) | ended, host__in=list(hosts), outside=False)
    found: dict[str, list[Process]] = {}
    for row in rows.select_related("last_snapshot").defer("end_evidence", "last_snapshot__counts"):
        found.setdefault(row.host, []).append(row)
    return found


def stopped_with(process: Process, flight: Flight | None, others: Iterable[Process]) -> int:
    """Processes of its service and host that were stopped when it was last heard of; 0 where one of them lives on."""
    last_word = process.last_seen_at if flight is None else max(flight.written_at, process.started_at)
    until = last_word + (process.lease_expires_at - process.last_seen_at)
    beside = [
        other
        for other in others
        if other.pk != process.pk and other.service_id == process.service_id and other.started_at <= last_word
    ]
    if any(other.ended_at is None for other in beside):
        return 0
    stopped = [other.ended_at for other in beside if other.end_reason in _STOPPED and other.ended_at is not None]
    return sum(last_word - _BEFORE <= ended_at <= until for ended_at in stopped)


def kills_explained(hosts: Collection[str], now: datetime) -> dict[str, list[OomCounters]]:
    """What was counted at the ends that a kill explains already, by host. One query."""
    rows = Process.objects.filter(host__in=hosts, end_reason=End.OOM_PROCESS, ended_at__gte=now - RECENT)
    found: dict[str, list[OomCounters]] = {}
    for host, oom in rows.order_by("-ended_at").values_list("host", "end_evidence__oom")[:MOST_KNOWN]:
        if isinstance(oom, dict):
            found.setdefault(host, []).append(OomCounters(**{name: oom.get(name) for name in OomCounters._fields}))
    return found


def write(process: Process, facts: Facts, verdict: Verdict, ended_at: datetime, now: datetime) -> bool:
    """Note why it ended, where that is news; whether it is. Not saved."""
    if process.ended_at is None or _knows_more(verdict, process):
        if process.ended_at is None or process.end_reason in Process.SILENT_ENDS:
            process.ended_at = ended_at
        process.end_reason = verdict.reason
    elif process.end_evidence or process.end_reason != verdict.reason:
        return False
    process.end_evidence, process.end_noted_at = evidence(facts, verdict), now
    return True


def _knows_more(verdict: Verdict, process: Process) -> bool:
    """Whether the verdict takes the place of what was noted first."""
    if process.end_reason == End.GOODBYE:
        return verdict.certain
    if process.end_reason in (End.STALE, End.REPLACED):
        return True
    return process.end_reason in Process.SILENT_ENDS and verdict.reason != UNKNOWN


def count(process: Process, services: Mapping[int, str], counted: Counted) -> None:
    """Count the end under its reason. One that was silent at first and is explained later counts under both."""
    counted[DEATHS, label_text(service=services[process.service_id], reason=process.end_reason)] += 1
