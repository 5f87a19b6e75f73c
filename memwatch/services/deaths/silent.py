"""Ends that only silence shows: the last record of the process, its host and its successors say more."""

from __future__ import annotations

import logging
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta

from django.db.models import Q

from memwatch.conf import get_settings
from memwatch.detection.deaths import HUB, SUCCESSOR, Facts, OomCounters, decide_all
from memwatch.models import Process, Service, Snapshot
from memwatch.records import KIB_PER_MB
from memwatch.records.flight import Flight
from memwatch.services import counters
from memwatch.services.deaths import explained
from memwatch.services.deaths.explained import Counted
from memwatch.services.ingest.bulk import save_columns
from memwatch.services.locking import writing
from memwatch.transport import Hub, TransportUnavailable
from memwatch.transport.flights.checks import load_flight
from memwatch.transport.wire import WireError

log = logging.getLogger("memwatch")

MOST_RECORDS = 1_000
"""Records that are read in one run. Of further processes, the end is noted without."""
_END = ("ended_at", "end_reason", "end_evidence", "end_noted_at")


def end_silent(now: datetime, waiting: timedelta, hub: Hub) -> int:
    """End the processes whose lease ran out ``waiting`` ago; how many. Without a record, only the silence is known."""
    overdue = Q(lease_expires_at__lte=now - waiting)
    keys = list(Process.objects.alive().filter(overdue).order_by("pk").values_list("key", flat=True))
    if not keys:
        return 0
    records = _records(hub, keys[:MOST_RECORDS])
    counted: Counted = Tally()
    with writing():
        rows = Process.objects.select_for_update(no_key=True).filter(overdue, ended_at=None).order_by("pk")
        ended = list(rows)
        _settle(ended, records, counted, now, waiting)
        save_columns(ended, _END)
        counters.add_many(counted)
    _forget(hub, [row.key for row in ended if row.key in records])
    return len(ended)


def _records(hub: Hub, keys: Iterable[str]) -> dict[str, Flight]:
    found = {}
    try:
        for key in keys:
            payload = hub.left(key)
            if payload is not None and (record := _checked(payload, key)) is not None:
                found[key] = record
    except (TransportUnavailable, OSError) as error:
        log.warning("memwatch: last records of processes cannot be read: %s", error)
    return found


def _checked(payload: bytes, key: str) -> Flight | None:
    try:
        record = load_flight(payload)
    except WireError as error:
        log.warning("memwatch: the last record of %s is not used: %s", key[:200], error)
        return None
    return record if record.key == key and key.startswith(f"{record.host}:") else None


def _forget(hub: Hub, keys: Iterable[str]) -> None:
    try:
        for key in keys:
            hub.forget(key)
    except (TransportUnavailable, OSError) as error:
        log.warning("memwatch: last records of processes cannot be removed: %s", error)


def _settle(
    ended: Sequence[Process], records: Mapping[str, Flight], counted: Counted, now: datetime, waiting: timedelta
) -> None:
    """Note the ends. Four queries at most, however many there are."""
    known: dict[str, list[Process]] = defaultdict(list)
    for row in ended:
        if row.key in records and not row.outside:
            known[row.host].append(row)
        else:
            row.ended_at = row.end_noted_at = now
            row.end_reason = Process.End.STALE
    if not known:
        return
    rows = [row for some in known.values() for row in some]
    last = explained.last_snapshots(rows)
    neighbours = explained.neighbours(known, now)
    services = dict(Service.objects.filter(pk__in={row.service_id for row in rows}).values_list("pk", "name"))
    kills = explained.kills_explained(known, now)
    for host, some in known.items():
        together = {row.pk for row in some}
        facts = [
            _facts(row, records[row.key], last, neighbours.get(host, []), now - waiting, together=together)
            for row in some
        ]
        for row, each, verdict in zip(some, facts, decide_all(facts, kills.get(host, ())), strict=True):
            explained.write(row, each, verdict, now, now)
            explained.count(row, services, counted)


def _facts(
    row: Process,
    flight: Flight,
    last: Mapping[int, Snapshot],
    neighbours: Sequence[Process],
    heard_until: datetime,
    *,
    together: Set[int],
) -> Facts:
    lease = row.lease_expires_at - row.last_seen_at
    beside = [other for other in neighbours if other.pk != row.pk]
    others = [other for other in beside if other.ended_at is None or other.end_reason in Process.SILENT_ENDS]
    living = [other for other in others if other.ended_at is None and heard_until - other.last_seen_at < lease / 2]
    oom, noticed_by = _counted(row, flight, living)
    sizes = [other.last_snapshot.rss_kib or 0 for other in living if other.last_snapshot is not None]
    seconds = [at for at, _mb in flight.rss_seconds[-1:]]
    return Facts(
        at=max([flight.written_at, *(datetime.fromtimestamp(at, flight.written_at.tzinfo) for at in seconds)]),
        noticed_by=noticed_by,
        flight=flight,
        oom=oom,
        rss_mb=explained.rss_mb(flight, last.get(row.pk)),
        limit_mb=explained.limit_mb(flight, last.get(row.pk)),
        largest_mb=max(sizes, default=0) / KIB_PER_MB or None,
        stopped_with=explained.stopped_with(row, flight, [other for other in beside if other.pk not in together]),
        silent=1 if living or row.host == get_settings().host else 1 + len(others),  # this host is not gone
    )


def _counted(row: Process, flight: Flight, living: Sequence[Process]) -> tuple[OomCounters, str]:
    """What the kernel has counted since, as those that live on in its service have read it; and who noticed it.

    A process that started later may be in a new container, which counts from 0: it says something only if its count is
    higher.
    """
    before, group_before = explained.counters_before(row, flight)
    found = OomCounters(before, None, group_before, None)
    noticed_by = HUB
    for other in living:
        if other.service_id != row.service_id or other.oom_kills is None or other.last_seen_at <= row.last_seen_at:
            continue
        counted = OomCounters(before, other.oom_kills, group_before, other.oom_group_kills)
        later = other.started_at > row.last_seen_at
        rose = counted.kills > 0 or counted.group_kills > 0
        if (rose or not later) and (found.after is None or other.oom_kills > found.after):
            found, noticed_by = counted, SUCCESSOR if later else HUB
    return found, noticed_by
