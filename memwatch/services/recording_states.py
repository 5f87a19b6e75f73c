"""How the state of a recording moves: by the answer to its command, and to an end without an outcome."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from memwatch.models import Command, Recording, RecordingPart


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
