"""What agents send of a recording: stored piece by piece as it comes, put together when all of it is there."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import OperationalError

from memwatch.diagnosis import result_shape
from memwatch.models import Command, Process, Recording, RecordingKind, RecordingPart
from memwatch.records import traces
from memwatch.services.locking import writing
from memwatch.services.recordings import heap_dumps, pushing, storage
from memwatch.transport import schema, strict_json, wire
from memwatch.transport.recordings import HEAP_DUMP, JSON, MAX_ARTIFACT_BYTES, MAX_JSON_BYTES, MEMRAY


def close(recording: Recording, state: str, now: datetime, error: str = "") -> None:
    """End it, saved, without an outcome; what had arrived of one is dropped, and nothing follows a cancelled one."""
    recording.state, recording.finished_at, recording.error = state, now, error[:300]
    if state == Recording.State.CANCELLED:
        recording.and_then = ""
    recording.save(update_fields=["state", "finished_at", "error", "and_then"])
    RecordingPart.objects.filter(recording=recording).delete()


def settle(rows: Iterable[Recording], now: datetime) -> None:
    """What the answers to their commands make of recordings that were asked for."""
    for recording in rows:
        command = recording.command
        if command is None or recording.state != Recording.State.REQUESTED:
            continue
        if command.state == Command.State.DONE:
            recording.state, recording.started_at = Recording.State.RUNNING, command.answered_at or now
            recording.save(update_fields=["state", "started_at"])
        elif command.state != Command.State.SENT:
            close(recording, Recording.State.FAILED, now, command.detail or f"The agent: {command.get_state_display()}")


log = logging.getLogger("memwatch")

MAX_RESULT_BYTES = 1024 * 1024
"""Most bytes of a result kept ready for a page in the database; a bigger one stays packed beside it."""
CAPTURE_BEGINS = (b"memray", b"\x04\x22\x4d\x18")
"""A capture of memray as it is, or in an LZ4 frame."""


def take(arrivals: Sequence[tuple[Process, wire.RecordingPart]], now: datetime) -> None:
    """Store what came. Within the transaction of its report; a part that comes twice changes nothing.

    A part counts only from the process that was asked, while the recording is under way: what comes after a cancel,
    or claims to be another process's, is dropped.
    """
    if not arrivals:
        return
    wanted = {part.recording for _process, part in arrivals}
    rows = {row.wire_id: row for row in Recording.objects.select_for_update(of=("self",)).filter(wire_id__in=wanted)}
    for process, part in arrivals:
        recording = rows.get(part.recording)
        if recording is None or recording.process_id != process.pk or not recording.is_pending:
            continue
        if part.traces:
            recording.traces = traces.joined(recording.traces, part.traces)
            recording.save(update_fields=["traces"])
        if part.state == "running":
            _begin(recording, now)
            _progress(recording, part.measured)
        elif part.state == "done":
            _keep(recording, part, now)
        else:
            state = Recording.State.CANCELLED if part.state == "cancelled" else Recording.State.FAILED
            recording.measured = _figures(part.measured) or recording.measured
            recording.save(update_fields=["measured"])
            close(recording, state, now, part.error)


def _begin(recording: Recording, now: datetime) -> None:
    if recording.state == Recording.State.REQUESTED:
        recording.state, recording.started_at = Recording.State.RUNNING, now
        recording.save(update_fields=["state", "started_at"])


def _progress(recording: Recording, measured: Any) -> None:
    """How far it is, for its page."""
    if figures := _figures(measured):
        recording.measured = figures
        recording.save(update_fields=["measured"])


def _keep(recording: Recording, part: wire.RecordingPart, now: datetime) -> None:
    problem, content = _decoded(recording, part)
    if problem:
        close(recording, Recording.State.FAILED, now, f"The agent sent {problem}.")
        return
    _begin(recording, now)
    recording.parts = part.parts
    recording.content_type = _content_type(recording)
    recording.measured = _figures(part.measured) or recording.measured
    recording.save(update_fields=["parts", "content_type", "measured"])
    piece = RecordingPart(recording=recording, number=part.part, content=content)
    RecordingPart.objects.bulk_create([piece], ignore_conflicts=True)


def _decoded(recording: Recording, part: wire.RecordingPart) -> tuple[str, bytes]:
    """What is wrong with the part, in words, else its bytes."""
    if part.parts < 1 or recording.parts not in (0, part.parts):
        return f"part {part.part} of {part.parts}, which does not fit the others", b""
    if part.content_type != _content_type(recording):
        return f"{part.content_type[:40]!r} as the outcome of {recording.kind}", b""
    try:
        content = base64.b64decode(part.content, validate=True)
    except (binascii.Error, ValueError):
        return "a part that is no base64", b""
    return ("", content) if content else ("an empty part", b"")


def complete(now: datetime) -> int:
    """Put together the recordings of which every part is there; how many. Each in a transaction of its own."""
    running = Recording.objects.pending().filter(parts__gt=0).values_list("pk", flat=True)
    done = 0
    for pk in list(running):
        try:
            with writing():
                done += _complete(pk, now)
        except OperationalError:
            raise  # nothing is wrong with the recording: the next run tries again
        except Exception:
            log.exception("memwatch: the outcome of recording %s cannot be read", pk)
            with writing():
                row = Recording.objects.select_for_update(of=("self",)).get(pk=pk)
                close(row, Recording.State.FAILED, now, "The outcome cannot be read; the worker's log says why.")
    return done


def _complete(pk: int, now: datetime) -> bool:
    recording = Recording.objects.select_for_update(of=("self",)).select_related("process__service").get(pk=pk)
    pieces = RecordingPart.objects.filter(recording=pk).order_by("number").values_list("content", flat=True)
    if not recording.is_pending or pieces.count() < recording.parts:
        return False
    if recording.kind == RecordingKind.HEAP_DUMP:
        heap_dumps.finish(recording, now)
    else:
        _finish(recording, b"".join(map(bytes, pieces)), now)
    return True


def _finish(recording: Recording, packed: bytes, now: datetime) -> None:
    try:
        is_capture = recording.kind == RecordingKind.FLAMEGRAPH
        plain = storage.unpack(packed, MAX_ARTIFACT_BYTES if is_capture else MAX_JSON_BYTES)
        result = None if is_capture else _result(recording.kind, plain)
        if result is None and not plain.startswith(CAPTURE_BEGINS):
            raise ValueError("is no capture of memray")
        fits = result is not None and len(plain) <= MAX_RESULT_BYTES
        if not fits:
            storage.keep(recording, packed)
    except ValueError as error:
        close(recording, Recording.State.FAILED, now, f"The outcome {error}.")
        return
    recording.size = len(plain)
    recording.result = result if fits else None
    if fits or recording.artifact:
        RecordingPart.objects.filter(recording=recording).delete()
    recording.state, recording.finished_at = Recording.State.DONE, now
    recording.save(update_fields=["state", "finished_at", "result", "artifact", "size"])
    pushing.put(recording, now)


def _result(kind: str, plain: bytes) -> dict[str, Any]:
    """The JSON object, with texts that every database can store."""
    try:
        value = strict_json.loads(plain)
    except ValueError as error:
        raise ValueError(f"is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")
    try:
        result = result_shape.checked(kind, value)
    except ValueError as error:
        raise ValueError(f"is no result of its kind: {error}") from None
    cleaned: dict[str, Any] = schema.sendable(result)
    return cleaned


def _content_type(recording: Recording) -> str:
    return {RecordingKind.FLAMEGRAPH: MEMRAY, RecordingKind.HEAP_DUMP: HEAP_DUMP}.get(
        RecordingKind(recording.kind), JSON
    )


def _figures(measured: Any) -> dict[str, float]:
    return {str(name)[:40]: float(value) for name, value in list(measured.items())[:20]}
