"""Processes as reports speak of them: enrolled once, given a slot, ended by a goodbye, a successor or silence."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from memwatch.batches import batched
from memwatch.models import Process, Release, Service, connection
from memwatch.services import command_relay
from memwatch.services.deaths.silent import end_silent
from memwatch.services.ingest import contact
from memwatch.services.ingest.sightings import Sighting
from memwatch.services.locking import writing
from memwatch.transport import Hub, TransportUnavailable

log = logging.getLogger("memwatch")

_ATTEMPTS = 10
_AT_ONCE = 500
_SAME_START = timedelta(seconds=2)
"""Two readings of one process's start time differ by less."""


def enrol(sightings: Iterable[Sighting], now: datetime) -> None:
    """Make rows for the processes that have none. Several workers may enrol the same ones at once.

    The eldest of those that are new together gets the lowest slot.
    """
    newest = {sighting.key: sighting for sighting in sightings}
    known = set(Process.objects.filter(key__in=list(newest)).values_list("key", flat=True))
    new = [sighting for key, sighting in newest.items() if key not in known]
    if not new:
        return
    services = _services({sighting.service for sighting in new})
    releases = _releases({(services[s.service], s.release) for s in new if s.release})
    with writing():
        ended_already, left_out = _settle_pids(new, now)
    new = [sighting for sighting in new if sighting.key not in left_out]
    new.sort(key=lambda s: (s.service, s.host, s.started_at, s.pid, s.key))
    _insert(new, services, releases, ended_already, now)


def _insert(
    new: Sequence[Sighting],
    services: Mapping[str, int],
    releases: Mapping[tuple[int, str], int],
    ended_already: set[str],
    now: datetime,
) -> None:
    for _attempt in range(_ATTEMPTS):
        taken = _slots_taken({services[s.service] for s in new}, {s.host for s in new})
        lowest: dict[tuple[int, str], int] = {}
        rows = []
        for sighting in new:
            service = services[sighting.service]
            place = (service, sighting.host)
            slot_number = _smallest_free(taken.get(place, ()), lowest.get(place, 1))
            row = Process(
                key=sighting.key,
                service_id=service,
                release_id=releases.get((service, sighting.release)),
                host=sighting.host,
                pid=sighting.pid,
                slot_number=slot_number,
                outside=sighting.outside,
                started_at=sighting.started_at,
                first_seen_at=now,
                last_seen_at=now,
                lease_expires_at=now,
                **sighting.description,
            )
            if sighting.key in ended_already:
                row.ended_at, row.end_reason = now, Process.End.REPLACED
            lowest[place] = slot_number + (row.ended_at is None)
            rows.append(row)
        Process.objects.bulk_create(rows, ignore_conflicts=True)
        stored = set(Process.objects.filter(key__in=[s.key for s in new]).values_list("key", flat=True))
        new = [sighting for sighting in new if sighting.key not in stored]
        if not new:
            return
    raise IntegrityError(f"no slot for {new[0].service} on {new[0].host} after {_ATTEMPTS} attempts")


def describe(process: Process, sighting: Sighting) -> bool:
    """Bring the columns that may change up to date; whether anything changed. Not saved."""
    changed = False
    for name, value in sighting.description.items():
        if getattr(process, name) != value:
            setattr(process, name, value)
            changed = True
    return changed


def revive(process: Process) -> None:
    """Give a process that was thought dead its slot back, or the smallest free one. Saved."""
    for _attempt in range(_ATTEMPTS):
        others = Process.objects.alive().filter(service=process.service_id, host=process.host).exclude(pk=process.pk)
        used = set(others.order_by().values_list("slot_number", flat=True))
        if process.slot_number in used:
            process.slot_number = _smallest_free(used)
        process.ended_at, process.end_reason, process.end_evidence, process.end_noted_at = None, "", {}, None
        try:
            with transaction.atomic(using=connection.alias()):
                process.save(update_fields=["slot_number", "ended_at", "end_reason", "end_evidence", "end_noted_at"])
        except IntegrityError:
            continue
        return
    raise IntegrityError(f"no slot for {process.service} on {process.host} after {_ATTEMPTS} attempts")


def end_stale(now: datetime | None = None, *, hub: Hub | None = None) -> int:
    """End the processes whose lease ran out; how many.

    A report that still waits to be ingested may be their sign of life: who was silent only since the eldest of those
    is left alone, and so is everybody while the transport is away, and for a moment after it came back.
    """
    now = now or timezone.now()
    own = hub is None
    hub = hub or command_relay.open_own()
    try:
        waiting = timedelta(seconds=hub.state().oldest_s or 0.0)
        return end_silent(now, waiting, hub) if contact.counts(now) else 0
    except TransportUnavailable as error:
        contact.lost(now)
        log.warning("memwatch: no process was ended: %s", error)
        return 0
    finally:
        if own:
            hub.close()


def _services(names: set[str]) -> dict[str, int]:
    found = dict(Service.objects.filter(name__in=names).values_list("name", "pk"))
    if len(found) < len(names):
        Service.objects.bulk_create([Service(name=n) for n in sorted(names - found.keys())], ignore_conflicts=True)
        found = dict(Service.objects.filter(name__in=names).values_list("name", "pk"))
    return found


def _releases(wanted: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    if not wanted:
        return {}

    def stored() -> dict[tuple[int, str], int]:
        rows = Release.objects.filter(service__in={s for s, _ in wanted}, name__in={n for _, n in wanted})
        return {(service, name): pk for service, name, pk in rows.values_list("service_id", "name", "pk")}

    found = stored()
    missing = sorted(wanted - found.keys())
    if missing:
        Release.objects.bulk_create([Release(service_id=s, name=n) for s, n in missing], ignore_conflicts=True)
        found = stored()
    return found


def _slots_taken(services: set[int], hosts: set[str]) -> dict[tuple[int, str], set[int]]:
    taken: dict[tuple[int, str], set[int]] = {}
    rows = Process.objects.alive().filter(service__in=services, host__in=hosts).order_by()
    for service, host, slot in rows.values_list("service_id", "host", "slot_number"):
        taken.setdefault((service, host), set()).add(slot)
    return taken


def _smallest_free(used: Collection[int], number: int = 1) -> int:
    """From ``number`` on."""
    while number in used:
        number += 1
    return number


def _settle_pids(new: Sequence[Sighting], now: datetime) -> tuple[set[str], set[str]]:
    """End processes whose pid was taken over. Returns keys: of the new ones that have ended, and of those left out.

    Two containers that share a host name may share a pid as well: only who was not heard of since the other started
    is held to be its predecessor.
    """
    ended: set[str] = set()
    left_out: set[str] = set()
    replaced: list[int] = []
    by_pid: dict[tuple[str, int], list[Process]] = {}
    for row in Process.objects.alive().filter(host__in={s.host for s in new}, pid__in={s.pid for s in new}):
        by_pid.setdefault((row.host, row.pid), []).append(row)
    together: dict[tuple[str, int], list[Sighting]] = {}
    for one in new:
        together.setdefault((one.host, one.pid), []).append(one)
    for one in new:
        twins = together[one.host, one.pid]
        if any(_is_over(one.started_at, one.sent_at, twin.started_at) for twin in twins):
            ended.add(one.key)
        for row in by_pid.get((one.host, one.pid), ()):
            same = abs(row.started_at - one.started_at) <= _SAME_START
            if one.outside and same and not row.outside:
                left_out.add(one.key)
            elif (row.outside and same) or _is_over(row.started_at, row.last_seen_at, one.started_at):
                replaced.append(row.pk)
            elif _is_over(one.started_at, one.sent_at, row.started_at):
                ended.add(one.key)
    for some in batched(replaced, _AT_ONCE):
        Process.objects.filter(pk__in=some).update(ended_at=now, end_reason=Process.End.REPLACED)
    return ended, left_out


def _is_over(started_at: datetime, last_word: datetime, successor_started_at: datetime) -> bool:
    """Whether a process that started and spoke then is over, where another with its pid started at that time."""
    return started_at < successor_started_at and last_word < successor_started_at
