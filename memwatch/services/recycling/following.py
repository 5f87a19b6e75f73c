"""What becomes of a recycle: evidence, the order, the end of the worker, and what its successor has."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from memwatch.conf import get_settings
from memwatch.detection.recycling import ACT, has_stand_in, settle_s
from memwatch.formatting import megabytes as said_mb
from memwatch.models import Command, Process, Recording, RecordingKind, Recycle, RecyclingPolicy
from memwatch.queries import recycling as read
from memwatch.queries.deployment import counters as totals
from memwatch.queries.series.snapshot_mapping import megabytes
from memwatch.records.recycling import WITHDRAWN
from memwatch.services import ActionRefused, commands, counters
from memwatch.services.locking import writing
from memwatch.services.recordings import options as recording_options
from memwatch.services.recordings import requests, triggers
from memwatch.services.recycling import reporting
from memwatch.transport import Hub

log = logging.getLogger("memwatch")

EVIDENCE = timedelta(minutes=3)
"""For so long the order waits for the recordings; one that fails holds nothing up."""
SLACK = timedelta(minutes=2)
"""On top of the drain time-out: for the way of the news that the worker has ended."""
SETTLED_BY = timedelta(hours=2)
"""A successor without a figure by then is not compared."""
_State = Recycle.State
_SILENT = Process.SILENT_ENDS
"""Nothing proves such an end: a worker whose reports do not arrive may still be there."""


def follow(now: datetime, hub: Hub | None) -> None:
    """Take the next step of every recycle that is not over, and measure what the others have gained."""
    rows = Recycle.objects.filter(state__in=Recycle.PENDING).select_related("service", "process__service", "command")
    for row in rows:
        if row.state == _State.EVIDENCE:
            _after_evidence(row, now, hub)
        else:
            _after_order(row, now)
    settling = Recycle.objects.filter(state=_State.RECYCLED, gained_kib=None, ended_at__gte=now - SETTLED_BY)
    for row in settling.select_related("service", "process", "successor"):
        _settle(row, now)
    reporting.report_unmeasured(now)


def record_evidence(row: Recycle, now: datetime, hub: Hub | None) -> None:
    """Ask for what is to be known of the worker before it ends: the cause of its leak, else a heap summary."""
    process = row.process
    if process is None:
        return
    try:
        if row.leak is None:
            recording = requests.request(process, RecordingKind.HEAP_SUMMARY, hub=hub, now=now)
        else:
            plan = triggers.plan(row.leak)
            first, *rest = plan.kinds
            options = recording_options.fitting(first, plan.options)
            recording = requests.request(
                process, first, leak=row.leak, options=options, and_then=rest, hub=hub, now=now
            )
    except (ActionRefused, ValueError) as refusal:
        log.warning("memwatch: no evidence of %s: %s", row, refusal)
        Recycle.objects.filter(pk=row.pk).update(result=f"No evidence was recorded: {refusal}"[:300])
        return
    Recycle.objects.filter(pk=row.pk).update(recording=recording)


def call_off(now: datetime, why: str, *, service_id: int | None = None) -> None:
    """What has no order yet gets none; in one service, or in all."""
    rows = Recycle.objects.filter(state=_State.EVIDENCE)
    rows = rows if service_id is None else rows.filter(service=service_id)
    for row in rows.select_related("service"):
        _close(row, _State.CALLED_OFF, now, why)


def _after_evidence(row: Recycle, now: datetime, hub: Hub | None) -> None:
    process = row.process
    if process is None or process.ended_at is not None:
        _close(row, _State.CALLED_OFF, now, "The worker ended before it was ordered to.")
        return
    policy = RecyclingPolicy.objects.filter(service=row.service_id).first()
    if policy is None or policy.mode != ACT or not get_settings().recycling:
        _close(row, _State.CALLED_OFF, now, "Recycling was switched off.")
        return
    if policy.stopped_at is not None:
        _close(row, _State.CALLED_OFF, now, "The policy has stopped itself.")
        return
    if now - row.at < EVIDENCE and _is_recorded(process):
        return
    if not has_stand_in(process.pk, process.program, read.workers_of(row.service_id, now)):
        _close(row, _State.CALLED_OFF, now, "It has become the last healthy worker of the service.")
        return
    if _moved(row, _State.ORDERED, ordered_at=now, drain_minutes=policy.drain_minutes):
        _order(row, process, policy, now, hub)


def _is_recorded(process: Process) -> bool:
    """Whether a recording of it is under way, or follows in a moment."""
    under_way = Q(state__in=Recording.PENDING) | ~Q(and_then="")
    return Recording.objects.filter(under_way, process=process).exists()


def _order(row: Recycle, process: Process, policy: RecyclingPolicy, now: datetime, hub: Hub | None) -> None:
    """A hub that dies here leaves a worker that works on: the row is closed when its time is over."""
    arguments = {"drain_s": policy.drain_minutes * 60, "whole": bool(policy.supervisor)}
    (command,) = commands.ask("recycle", [process], hub=hub, arguments=arguments)
    Recycle.objects.filter(pk=row.pk).update(command=command)
    command.refresh_from_db(fields=["state", "detail"])
    row.state, row.ordered_at, row.command, row.drain_minutes = _State.ORDERED, now, command, policy.drain_minutes
    _after_order(row, now)


def _after_order(row: Recycle, now: datetime) -> None:
    process, command = row.process, row.command
    is_over = now > (row.ordered_at or row.at) + _drain(row) + SLACK
    if process is None or (process.ended_at is not None and (is_over or process.end_reason not in _SILENT)):
        _close(row, _State.RECYCLED, now, _how_it_ended(process))
    elif command is not None and command.state in (Command.State.REFUSED, Command.State.FAILED):
        _close(row, _State.REFUSED, now, command.detail or "It was refused.")
    elif is_over:
        _close(row, _State.LEFT, now, f"It had not ended when the drain time-out was over{_what_it_does(command)}.")


def _what_it_does(command: Command | None) -> str:
    if command is None:
        return ", and works on. Its order may not have been sent"
    if command.state != Command.State.DONE:
        return ", and works on. It did not answer the order"
    return ", and works on" if command.detail in WITHDRAWN else ". It cannot be called back, and ends after its job"


def _how_it_ended(process: Process | None) -> str:
    if process is None or process.end_reason in ("", Process.End.RECYCLED_BY_MEMWATCH):
        return reporting.FINISHED
    return f"It ended: {process.get_end_reason_display()}."


def _drain(row: Recycle) -> timedelta:
    """What the worker was ordered with. Rows of an older release do not know it: the policy's counts for them."""
    minutes = row.drain_minutes
    if minutes is None:
        known = RecyclingPolicy.objects.filter(service=row.service_id).values_list("drain_minutes", flat=True)
        minutes = known.first()
    return timedelta(minutes=10 if minutes is None else minutes)


def _settle(row: Recycle, now: datetime) -> None:
    """Compare the successor with the worker before it, once it has loaded what it needs."""
    successor = row.successor or read.successor_of(row)
    if successor is None:
        return
    if row.successor_id is None:
        Recycle.objects.filter(pk=row.pk).update(successor=successor)
    minutes = RecyclingPolicy.objects.filter(service=row.service_id).values_list("minutes", flat=True).first()
    since = successor.started_at + timedelta(seconds=settle_s(60 * (minutes or 15)))
    private = read.private_of([successor], newest=True, since=since).get(successor.pk)
    if private is None or row.private_before_kib is None or now < since:
        return
    gained = row.private_before_kib - private.private
    with writing():
        if not Recycle.objects.filter(pk=row.pk, gained_kib=None).update(gained_kib=gained):
            return  # another hub was faster
        row.gained_kib, row.successor = gained, successor
        reporting.report(row, now)
    log.info("memwatch: recycling %s gained %s", row.name, said_mb(megabytes(gained)))


def _close(row: Recycle, state: Recycle.State, now: datetime, result: str) -> None:
    before = f"{row.result} " if row.result else ""
    if _moved(row, state, ended_at=now, result=f"{before}{result}"[:300]):
        counters.add(totals.RECYCLES, 1, service=row.service.name, reason=row.because, result=state)
        log.info("memwatch: %s: %s", row, result)


def _moved(row: Recycle, state: Recycle.State, **values: Any) -> bool:
    """Whether this hub took the step."""
    return bool(Recycle.objects.filter(pk=row.pk, state=row.state).update(state=state, **values))
