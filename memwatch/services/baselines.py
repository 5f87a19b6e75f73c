"""Baselines set by people: of one process, or of a whole service. The one before is kept, no longer active."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median_low
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from memwatch.models import Baseline, Command, Process, Service, Snapshot
from memwatch.queries import last_snapshot_of
from memwatch.queries.series.snapshot_mapping import NUMBERS
from memwatch.services import ActionRefused, audit, commands
from memwatch.services.ingest.automatic_baselines import copy_figures
from memwatch.services.locking import writing
from memwatch.transport import Hub

WAIT_S = 3.0
"""How long a reset waits for a fresh snapshot before it takes the last one."""
_ATTEMPTS = 3


def reset_process(
    process: Process,
    *,
    by: Any = None,
    reason: str = "",
    idempotency_key: str | None = None,
    wait_s: float = WAIT_S,
    hub: Hub | None = None,
) -> Baseline:
    """Compare the process from now on with how it is now.

    With an ``idempotency_key`` seen before, the baseline made then is returned and nothing is done. Raises
    :class:`ActionRefused` for a process that has ended or never reported, and for a key used for something else.
    """
    key = _clean_key(idempotency_key)
    if (done := _made_before(key, process=process, service=process.service)) is not None:
        return done
    if process.ended_at is not None:
        raise ActionRefused(f"{process} has ended: only a running process has a baseline to reset")
    latest = _latest([process], wait_s=wait_s, hub=hub).get(process.pk)
    if latest is None:
        raise ActionRefused(f"{process} has reported no snapshot yet: wait for its first, then reset")

    def make() -> Baseline:
        (row,) = _replace_own([(process, latest)], by=by, reason=reason, key=key, now=timezone.now())
        audit.record(by, process, _message(reason))
        return row

    row = _once(make, key, process=process, service=process.service)
    commands.tell("reset_baseline", [process], hub=hub)
    return row


def reset_service(
    service: Service,
    *,
    by: Any = None,
    reason: str = "",
    idempotency_key: str | None = None,
    wait_s: float = WAIT_S,
    hub: Hub | None = None,
) -> Baseline:
    """Compare the service's processes from now on with how they are now.

    The service's baseline, for processes that start later, is the median of its processes' latest figures; each
    running process gets a baseline of its own as well. Refusals and ``idempotency_key`` as in :func:`reset_process`.
    """
    key = _clean_key(idempotency_key)
    if (done := _made_before(key, process=None, service=service)) is not None:
        return done
    running = list(service.processes.alive().select_related("service").order_by("pk"))
    latest = _latest(running, wait_s=wait_s, hub=hub)
    inside = [latest[process.pk] for process in running if process.pk in latest and not process.outside]
    if not inside:
        raise ActionRefused(f"{service} has no running process with a snapshot: wait for its first, then reset")

    def make() -> Baseline:
        now = timezone.now()
        Baseline.objects.filter(active=True, process=None, service=service).update(active=False)
        row = Baseline(
            service=service, created_at=now, created_by=by, reason=reason[:300], idempotency_key=key, **_median(inside)
        )
        row.save()
        own = [(process, latest[process.pk]) for process in running if process.pk in latest]
        _replace_own(own, by=by, reason=reason, key=None, now=now)
        audit.record(by, service, _message(reason))
        return row

    row = _once(make, key, process=None, service=service)
    commands.tell("reset_baseline", running, hub=hub)
    return row


def _latest(processes: Sequence[Process], *, wait_s: float, hub: Hub | None) -> dict[int, Snapshot]:
    """Each process's snapshot: fresh from those that answer in time, else the last. Who has none is left out."""
    askable = [process for process in processes if not process.outside]
    fresh: dict[int, int] = {}
    if askable and wait_s > 0:
        asked = commands.ask("snapshot", askable, wait_s=wait_s, hub=hub)
        done = (command for command in asked if command.state == Command.State.DONE)
        fresh = {command.process_id: command.snapshot_id for command in done if command.snapshot_id is not None}
    found: dict[int, Snapshot] = {row.process_id: row for row in Snapshot.objects.filter(pk__in=fresh.values())}
    rest = [process.pk for process in processes if process.pk not in found]
    for process in Process.objects.filter(pk__in=rest).select_related("last_snapshot"):
        row = last_snapshot_of(process)
        if row is not None:
            found[process.pk] = row
    return found


def _replace_own(
    pairs: Sequence[tuple[Process, Snapshot]], *, by: Any, reason: str, key: str | None, now: datetime
) -> list[Baseline]:
    """New active baselines of these processes."""
    ids = [process.pk for process, _row in pairs]
    list(Process.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
    Baseline.objects.filter(active=True, process__in=ids).update(active=False)
    rows = []
    for process, snapshot in pairs:
        row = Baseline(
            service_id=process.service_id,
            process=process,
            created_at=now,
            created_by=by,
            reason=reason[:300],
            idempotency_key=key,
        )
        copy_figures(snapshot, row)
        rows.append(row)
    return Baseline.objects.bulk_create(rows)


def _once(make: Callable[[], Baseline], key: str | None, *, process: Process | None, service: Service) -> Baseline:
    """Make it in a transaction; where another did the same at the same moment, theirs or a second attempt."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with writing():
                return make()
        except IntegrityError:
            if (done := _made_before(key, process=process, service=service)) is not None:
                return done
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _made_before(key: str | None, *, process: Process | None, service: Service) -> Baseline | None:
    row = Baseline.objects.filter(idempotency_key=key).first() if key else None
    if row is not None and (row.service_id != service.pk or row.process_id != (process.pk if process else None)):
        raise ActionRefused(f"this Idempotency-Key was used for the {row}: give each reset a key of its own")
    return row


def _clean_key(key: str | None) -> str | None:
    if key and len(key) > 100:
        raise ActionRefused(f"the Idempotency-Key has {len(key)} characters: give at most 100, e.g. a UUID")
    return key or None


def _message(reason: str) -> str:
    return f"Reset the baseline: {reason}" if reason else "Reset the baseline."


def _median(rows: Sequence[Snapshot]) -> dict[str, Any]:
    """The columns of the service's baseline: of each figure and type the median over those that know it."""
    values: dict[str, Any] = {column: _middle(getattr(row, column) for row in rows) for column in NUMBERS}
    sources = Tally(row.heap_limit_source for row in rows)
    values["heap_limit_source"] = sources.most_common(1)[0][0]
    values["timestamp"] = max(row.timestamp for row in rows)
    values["gc_threshold"] = rows[0].gc_threshold
    counted: list[Mapping[str, int]] = [row.counts for row in rows if row.counts is not None]
    keys = dict.fromkeys(key for counts in counted for key in counts)
    values["counts"] = {key: _middle(counts.get(key) for counts in counted) for key in keys} if counted else None
    return values


def _middle(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return median_low(known) if known else None
