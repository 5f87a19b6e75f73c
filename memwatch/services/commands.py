"""Asking processes: a snapshot, a sign of life, a new count of growers. Each question to a process is a row."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.models import Command, Process, Service
from memwatch.services import ActionRefused, audit, command_relay
from memwatch.services.ingest import reader
from memwatch.transport import Hub, TransportUnavailable, keys, wire

log = logging.getLogger("memwatch")

LIFETIME_S = 30.0
"""A command that is not obeyed by then is refused by the agent."""
MOST_PER_MINUTE = 30
"""Commands of one name to one process, from all callers together: more are refused."""
MOST_WAIT_S = 30.0
DELIVERY_S = 5.0
"""A report may be under way this long: the ingest runs every few seconds."""


def request_snapshot(process: Process, *, by: Any = None, wait_s: float = 0.0, hub: Hub | None = None) -> Command:
    """Ask for a snapshot. With ``wait_s`` its row is there on return, where the process answered in time.

    Raises :class:`ActionRefused` for a process that cannot be asked, or was asked too often.
    """
    return _ask_one("snapshot", process, by=by, wait_s=wait_s, hub=hub)


def ping(process: Process, *, by: Any = None, wait_s: float = 3.0, hub: Hub | None = None) -> Command:
    """Ask for a sign of life; refusals as in :func:`request_snapshot`."""
    return _ask_one("ping", process, by=by, wait_s=wait_s, hub=hub)


def request_snapshots(
    processes: Iterable[Process], *, by: Any = None, wait_s: float = 0.0, hub: Hub | None = None
) -> list[Command]:
    """Ask many at once, in their order. Who cannot be asked gets a command refused from the start."""
    return ask("snapshot", list(processes), by=by, wait_s=wait_s, hub=hub)


def ask(
    name: str,
    processes: Sequence[Process],
    *,
    by: Any = None,
    wait_s: float = 0.0,
    hub: Hub | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> list[Command]:
    """Send the command ``name`` to each; wait up to ``wait_s`` seconds and store what the answers bring."""
    now = timezone.now()
    refusals = _refusals(name, processes, now)
    messages = {process.pk: _message(name, process, arguments) for process in processes}
    rows = [_row(process, messages[process.pk], refusals.get(process.pk), by, now) for process in processes]
    Command.objects.bulk_create(rows, batch_size=500)
    payloads = _signed({process: messages[process.pk] for process in processes if process.pk not in refusals})
    problem = _send(payloads, wait_s=min(wait_s, MOST_WAIT_S), hub=hub) if payloads else ""
    if problem:
        sent = [row.pk for row in rows if row.state == Command.State.SENT]
        failed = Command.objects.filter(pk__in=sent, state=Command.State.SENT)
        failed.update(state=Command.State.FAILED, detail=problem[:300], answered_at=timezone.now())
    for process, row in zip(processes, rows, strict=True):
        if process.pk not in refusals:
            audit.record(by, process, f"Asked for: {name}.")
        if wait_s or problem:
            row.refresh_from_db(fields=["state", "detail", "answered_at", "snapshot"])
    return rows


def nudge(now: datetime | None = None, *, hub: Hub | None = None) -> int:
    """Ask every process that has not reported within its interval for a snapshot, without waiting; how many.

    A question costs the process a census: who reported on time and is only under way is not asked.
    These questions leave no rows: they are many, no user asked for them, and the report is the answer.
    """
    now = now or timezone.now()
    settings = get_settings()
    before = now - timedelta(seconds=settings.snapshot_interval + DELIVERY_S)
    silent = Process.objects.alive().filter(outside=False, last_seen_at__lt=before)
    payloads = {
        key: wire.Command.make("snapshot", key, lifetime_s=LIFETIME_S).encode(*_keys(service))
        for key, service in silent.values_list("key", "service__name")
    }
    if payloads and (problem := _send(payloads, wait_s=0, hub=hub)):
        log.warning("memwatch: %d silent processes could not be asked: %s", len(payloads), problem)
        return 0
    return len(payloads)


def tell(
    name: str, processes: Iterable[Process], *, hub: Hub | None = None, arguments: Mapping[str, Any] | None = None
) -> None:
    """Send a command without a row and without waiting. That the transport is away is logged, no more."""
    payloads = _signed(
        {
            process: _message(name, process, arguments)
            for process in processes
            if not process.outside and process.ended_at is None
        }
    )
    if payloads and (problem := _send(payloads, wait_s=0, hub=hub)):
        log.warning("memwatch: %d processes did not get the command %s: %s", len(payloads), name, problem)


def deliver(payloads: Mapping[str, str], *, wait_s: float, hub: Hub | None = None) -> None:
    """Send signed commands for a process that may not, once they are checked; store what comes back in time."""
    if hub is None and command_relay.is_lent():
        log.error("memwatch: HUB_TRANSPORT is worker in a worker too: give workers a URL that may send commands")
        return
    good = command_relay.checked(payloads, longest_s=LIFETIME_S, most_a_minute=MOST_PER_MINUTE)
    if len(good) < len(payloads):
        log.warning("memwatch: %d of %d commands to deliver are not right", len(payloads) - len(good), len(payloads))
    if good and (problem := _send(good, wait_s=min(wait_s, MOST_WAIT_S), hub=hub)):
        log.warning("memwatch: %d commands could not be delivered: %s", len(good), problem)


def expire(now: datetime | None = None) -> int:
    """Mark the commands that were not answered in time; how many."""
    overdue = Command.objects.filter(state=Command.State.SENT, expires_at__lte=now or timezone.now())
    return overdue.update(state=Command.State.EXPIRED) if overdue.exists() else 0


def _ask_one(name: str, process: Process, *, by: Any, wait_s: float, hub: Hub | None) -> Command:
    refusal = _refusals(name, [process], timezone.now()).get(process.pk)
    if refusal is not None:
        raise ActionRefused(refusal)
    return ask(name, [process], by=by, wait_s=wait_s, hub=hub)[0]


def _refusals(name: str, processes: Sequence[Process], now: datetime) -> dict[int, str]:
    """Why a process cannot be asked, by its id."""
    since = now - timedelta(minutes=1)
    recent = Command.objects.filter(name=name, created_at__gt=since, process__in=[p.pk for p in processes])
    recent = recent.filter(~Q(state=Command.State.REFUSED)).order_by()
    asked = dict(recent.values_list("process").annotate(Count("pk")))
    found: dict[int, str] = {}
    for process in processes:
        if process.ended_at is not None:
            found[process.pk] = f"{process} has ended: only a running process can be asked"
        elif process.outside:
            found[process.pk] = f"{process} is seen from outside: it has no agent that could be asked"
        elif asked.get(process.pk, 0) >= MOST_PER_MINUTE:
            found[process.pk] = f"{process} was asked {MOST_PER_MINUTE} times within a minute: wait a minute"
    return found


def _message(name: str, process: Process, arguments: Mapping[str, Any] | None) -> wire.Command:
    return wire.Command.make(name, process.key, lifetime_s=LIFETIME_S, **(arguments or {}))


def _signed(messages: Mapping[Process, wire.Command]) -> dict[str, bytes]:
    """Each for the service of its process."""
    services = Service.objects.in_bulk({process.service_id for process in messages}) if messages else {}
    return {
        process.key: message.encode(*_keys(services[process.service_id].name)) for process, message in messages.items()
    }


def _keys(service: str) -> tuple[str, ...]:
    return keys.signing_keys(get_settings().command_keys, service)


def _row(process: Process, message: wire.Command, refusal: str | None, by: Any, now: datetime) -> Command:
    return Command(
        wire_id=message.id,
        name=message.name,
        process=process,
        state=Command.State.SENT if refusal is None else Command.State.REFUSED,
        detail=(refusal or "")[:300],
        created_at=now,
        answered_at=None if refusal is None else now,
        expires_at=message.expires_at,
        created_by=by,
    )


def _send(payloads: Mapping[str, bytes], *, wait_s: float, hub: Hub | None) -> str:
    """Send; with ``wait_s`` store what comes back in time. The problem in a sentence, empty when there is none."""
    own = hub is None
    try:
        if own and command_relay.is_lent():
            command_relay.ask_worker(payloads, wait_s=wait_s)
            return ""
        hub = hub or command_relay.open_own()
        try:
            if wait_s > 0:
                answers = hub.request(payloads, timeout_s=wait_s)
                reader.take([payload for key, payload in answers.items() if key in payloads])
            else:
                hub.notify(payloads)
        finally:
            if own:
                hub.close()
    except TransportUnavailable as error:
        return f"the transport is unavailable: {error}"
    return ""
