"""What becomes of recordings between the moments when somebody acts: finished, followed, given up."""

from __future__ import annotations

import dataclasses
import logging
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone

from memwatch.models import Command, Recording, RecordingKind
from memwatch.services import ActionRefused, commands
from memwatch.services.locking import writing
from memwatch.services.recordings import regrowth, requests, results, triggers
from memwatch.services.recordings.options import fitting
from memwatch.services.recordings.results import close, settle
from memwatch.transport import Hub

log = logging.getLogger("memwatch")


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UpkeepResult:
    """What a run changed."""

    finished: int = 0
    given_up: int = 0
    followed: int = 0


def keep_up(now: datetime | None = None, *, hub: Hub | None = None) -> UpkeepResult:
    """Put together what has arrived, end what will never, ask for what comes next. Cheap where nothing is under way."""
    now = now or timezone.now()
    regrowth.settle(now)
    if not Recording.objects.filter(Q(state__in=Recording.PENDING) | ~Q(and_then="")).exists():
        return UpkeepResult()
    given_up = _give_up(now, hub)  # first: nothing that arrives may keep another recording from its end
    finished = results.complete(now)
    with writing():
        asked = Recording.objects.select_for_update(of=("self",)).filter(state=Recording.State.REQUESTED)
        settle(asked.exclude(command=None).exclude(command__state=Command.State.SENT).select_related("command"), now)
    return UpkeepResult(finished=finished, given_up=given_up, followed=_follow_up(now, hub))


def _give_up(now: datetime, hub: Hub | None) -> int:
    """End the recordings whose process ended, or whose time is over; the process gets a command to stop."""
    lost = Recording.objects.pending().filter(Q(process__ended_at__isnull=False) | Q(deadline__lte=now))
    given_up = 0
    for pk in list(lost.values_list("pk", flat=True)):
        with writing():
            row = Recording.objects.select_for_update(of=("self",)).select_related("process__service").get(pk=pk)
            if not row.is_pending:
                continue
            ended = row.process.ended_at is not None
            waited = (now - row.requested_at).total_seconds()
            reason = "The process ended before it was done." if ended else f"No outcome within {waited:.0f} seconds."
            close(row, Recording.State.FAILED, now, reason)
        given_up += 1
        if not ended:
            commands.tell("cancel_recording", [row.process], hub=hub, arguments={"recording": row.wire_id})
    return given_up


def _follow_up(now: datetime, hub: Hub | None) -> int:
    """Ask for what comes after the recordings that are over. Asked once: a refusal is reported, not retried."""
    over = Recording.objects.filter(~Q(and_then="")).exclude(state__in=Recording.PENDING).defer("result")
    followed = 0
    for row in over.select_related("process__service", "leak", "requested_by", "trigger"):
        kind, *rest = row.and_then.split(",")
        if not Recording.objects.filter(pk=row.pk, and_then=row.and_then).update(and_then=""):
            continue
        try:
            requests.request(
                row.process,
                kind,
                by=row.requested_by,
                leak=row.leak,
                trigger=row.trigger,
                follows=row.follows or row,
                options=_options(row, RecordingKind(kind)),
                and_then=rest,
                hub=hub,
                now=now,
            )
        except (ActionRefused, ValueError) as error:
            log.warning("memwatch: %s does not follow %s: %s", kind, row, error)
            continue
        followed += 1
    return followed


def _options(row: Recording, kind: RecordingKind) -> dict[str, Any]:
    """Options of the follow-up recording: from its own request, its leak or its trigger."""
    of_trigger = row.trigger.options if row.trigger is not None else {}
    of_leak = triggers.asked_for(row.leak) if row.leak is not None else {}
    return fitting(kind, {**of_trigger, **of_leak, **row.options})
