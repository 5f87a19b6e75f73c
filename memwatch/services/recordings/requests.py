"""Recordings asked for and called off: one at a time in a process, so many an hour in a service."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.models import Anomaly, Command, Leak, Process, Recording, RecordingKind, Trigger
from memwatch.services import ActionRefused, audit, commands
from memwatch.services.locking import writing
from memwatch.services.recordings import options as recording_options
from memwatch.services.recordings.results import close, settle
from memwatch.transport import Hub

REFUSAL_WAIT_S = 2.0
"""How long somebody who asks waits to hear whether the agent refuses."""


def request(
    process: Process,
    kind: str,
    *,
    by: Any = None,
    leak: Leak | None = None,
    anomaly: Anomaly | None = None,
    trigger: Trigger | None = None,
    follows: Recording | None = None,
    options: Mapping[str, Any] | None = None,
    and_then: Sequence[str] = (),
    look: bool = False,
    wait_s: float = 0.0,
    hub: Hub | None = None,
    now: datetime | None = None,
) -> Recording:
    """Ask a process for a recording; with ``wait_s``, wait that long for the agent's word that it began.

    A ``look`` of leak detection has a limit of its own, and does not count against the service's.

    Raises :class:`ActionRefused` for a process that cannot be recorded, is being recorded, whose service was recorded
    too often within the hour, or whose agent refused; the last leaves a failed recording behind. Wrong options are a
    :class:`ValueError`, values without the permission for them :class:`PermissionDenied`.
    """
    now = now or timezone.now()
    wanted = recording_options.checked(kind, options or {})
    if wanted.get("values") and by is None:
        raise ActionRefused("values of objects are shown to a user who asks, never to a trigger: leave `values` out")
    if wanted.get("values") and not may_see_values(by):
        raise PermissionDenied("values of objects want the permission memwatch.record_values: ask without `values`")
    if kind == RecordingKind.TRIM and by is not None and not may_trim(by):
        raise PermissionDenied("an allocator check wants the permission memwatch.trim_memory")
    if kind == RecordingKind.HEAP_DUMP and by is not None and not may_dump(by):
        raise PermissionDenied("a heap dump wants the permission memwatch.dump_heap")
    if wanted.get("keys") and by is None:
        raise ActionRefused("keys are named for a user who asks, never for a trigger: leave `keys` out")
    if wanted.get("keys") and not may_name_keys(by):
        raise PermissionDenied("keys of dicts want the permission memwatch.dump_keys: ask without `keys`")
    if reason := recording_options.refusal(process, kind):
        raise ActionRefused(reason)
    duration_s = recording_options.takes_s(kind, wanted)
    recording = Recording(
        wire_id=secrets.token_hex(8),
        kind=kind,
        process=process,
        leak=leak,
        anomaly=anomaly,
        trigger=trigger,
        follows=follows,
        and_then=",".join(and_then),
        look=look,
        options=wanted,
        requested_at=now,
        requested_by=by,
        deadline=now + timedelta(seconds=duration_s + recording_options.SLACK_S),
    )
    _insert(recording, counted=follows is None and not look)
    audit.record(by, recording, f"Asked for: {_in_words(recording)}.")
    _ask(recording, by=by, wait_s=wait_s, hub=hub)
    return recording


def may_see_values(user: Any) -> bool:
    """Whether this user may have values of objects recorded, and see those that were."""
    return bool(user is not None and user.has_perm("memwatch.record_values"))


def may_trim(user: Any) -> bool:
    """Whether this user may have a process return its free memory, which holds up its threads for a moment."""
    return bool(user is not None and user.has_perm("memwatch.trim_memory"))


def may_dump(user: Any) -> bool:
    """Whether this user may have heap dumps made, and take them away."""
    return bool(user is not None and user.has_perm("memwatch.dump_heap"))


def may_name_keys(user: Any) -> bool:
    """Whether this user may have keys of dicts named in a heap dump."""
    return bool(user is not None and user.has_perm("memwatch.dump_keys"))


WHO_READS = "a heap dump wants the permission memwatch.dump_heap, and with names of keys memwatch.dump_keys"


def may_read(user: Any, recording: Recording) -> bool:
    """Whether this user may see what it found and take it away: heap dumps want permissions of their own."""
    if recording.kind != RecordingKind.HEAP_DUMP:
        return True
    return may_dump(user) and (not recording.options.get("keys") or may_name_keys(user))


def forbidden_kinds(user: Any) -> set[str]:
    """The kinds that want a permission of their own, which this user does not have."""
    allowed = {RecordingKind.TRIM: may_trim(user), RecordingKind.HEAP_DUMP: may_dump(user)}
    return {str(kind) for kind, may in allowed.items() if not may}


def downloaded(recording: Recording, form: str, *, by: Any) -> None:
    """Somebody took the outcome away as a file."""
    values = form == "json" and recording.options.get("values") and may_see_values(by)
    audit.record(by, recording, f"Downloaded: {_in_words(recording, values=bool(values))}, as {form}.")


def _in_words(recording: Recording, *, values: bool | None = None) -> str:
    of_type = recording.options.get("type")
    container = recording.options.get("container")
    with_values = recording.options.get("values") if values is None else values
    return (
        recording.kind
        + (f" of {of_type}" if of_type else "")
        + (f" ({container})" if container else "")
        + (", with values" if with_values else "")
    )


def cancel(recording: Recording, *, by: Any, hub: Hub | None = None, now: datetime | None = None) -> Recording:
    """Cancel it: the process gets a command to stop, and anything it still sends is ignored."""
    with writing():
        row = Recording.objects.select_for_update(of=("self",)).select_related("process__service").get(pk=recording.pk)
        if not row.is_pending:
            raise ActionRefused(f"{row} is {row.get_state_display()}: only one that is under way can be cancelled")
        close(row, Recording.State.CANCELLED, now or timezone.now())
    audit.record(by, row, "Cancelled.")
    commands.tell("cancel_recording", [row.process], hub=hub, arguments={"recording": row.wire_id})
    recording.refresh_from_db()
    return recording


def _insert(recording: Recording, *, counted: bool) -> None:
    """Within the limits, and alone: the database has the last word on two who ask at once."""
    service = recording.process.service
    limit = get_settings().recordings_per_service_hour
    busy = f"{recording.process} is being recorded: wait until that is done, or cancel it"
    try:
        with writing():
            if Recording.objects.pending().filter(process=recording.process).exists():
                raise ActionRefused(busy)
            since = recording.requested_at - timedelta(hours=1)
            recent = Recording.objects.filter(
                process__service=service, requested_at__gt=since, follows=None, look=False
            )
            if counted and recent.count() >= limit:
                raise ActionRefused(
                    f"{service} was recorded {limit} times within an hour: wait, or raise RECORDINGS_PER_SERVICE_HOUR"
                )
            recording.save(force_insert=True)
    except IntegrityError:
        raise ActionRefused(busy) from None


def _ask(recording: Recording, *, by: Any, wait_s: float, hub: Hub | None) -> None:
    arguments = {"recording": recording.wire_id, "kind": recording.kind, "options": recording.options}
    (command,) = commands.ask("record", [recording.process], by=by, wait_s=wait_s, hub=hub, arguments=arguments)
    Recording.objects.filter(pk=recording.pk).update(command=command)
    # The answer, and even the outcome, may have been stored by another worker in between.
    command.refresh_from_db()
    recording.refresh_from_db()
    with writing():
        settle([recording], timezone.now())
    if command.state in (Command.State.REFUSED, Command.State.FAILED):
        raise ActionRefused(recording.error or command.detail)
