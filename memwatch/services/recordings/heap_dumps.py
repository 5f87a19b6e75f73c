"""A heap dump that has arrived in parts: moved to the storage of recordings, one part at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime

from django.core.files.base import File

from memwatch.heapdump import reader
from memwatch.heapdump.format import HeapDumpError
from memwatch.models import Recording, RecordingPart
from memwatch.services.recordings import storage
from memwatch.transport.recordings import MAX_DUMP_BYTES


class _Parts(File):  # type: ignore[type-arg]
    """The parts as one file, of which the storage asks for one after the other."""

    def __init__(self, recording: Recording, name: str) -> None:
        super().__init__(io.BytesIO(), name)
        self._rows = RecordingPart.objects.filter(recording=recording).order_by("number")
        self.size = 0

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Each part. Raises :class:`ValueError` where they are no heap dump, or too large a one."""
        for content in self._rows.values_list("content", flat=True).iterator(chunk_size=4):
            part = bytes(content)
            if not self.size:
                _check(part)
            self.size += len(part)
            if self.size > MAX_DUMP_BYTES:
                raise ValueError(f"has more than {MAX_DUMP_BYTES:,} bytes")
            yield part


def _check(beginning: bytes) -> None:
    """Whether a dump may begin so; the rest is checked by who reads it."""
    try:
        next(reader.read(io.BytesIO(beginning)))
    except HeapDumpError as error:
        raise ValueError(f"is no heap dump: {error}") from None


def finish(recording: Recording, now: datetime) -> None:
    """Done, or failed with the reason. Saved; the parts are dropped."""
    parts = _Parts(recording, f"{recording.wire_id}.heap")
    try:
        recording.artifact = storage.replace(parts.name or "", parts)
        recording.size = parts.size
        recording.state = Recording.State.DONE
    except (OSError, ValueError) as error:
        reason = f"cannot be stored: {error}" if isinstance(error, OSError) else str(error)
        recording.state, recording.error = Recording.State.FAILED, f"The outcome {reason}."[:300]
    recording.finished_at = now
    recording.save(update_fields=["state", "finished_at", "artifact", "size", "error"])
    RecordingPart.objects.filter(recording=recording).delete()


def opened(recording: Recording) -> File:  # type: ignore[type-arg]
    """The stored dump, to be read and closed. Raises :class:`storage.OutcomeMissing`."""
    if not recording.artifact:
        raise storage.OutcomeMissing(f"{recording} is {recording.get_state_display()}: nothing is stored of it")
    try:
        return storage.storage().open(recording.artifact)
    except OSError as error:
        raise storage.OutcomeMissing(
            f"the file {recording.artifact} cannot be read ({type(error).__name__}): do web and worker share the "
            "storage of recordings (RECORDINGS_STORAGE, RECORDINGS_FOLDER)?"
        ) from None
