"""Where the outcomes of recordings lie: small ones in the database, bigger ones in a storage that no URL serves."""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db.models import QuerySet

from memwatch.conf import get_settings
from memwatch.diagnosis import result_shape
from memwatch.models import Recording, RecordingKind, RecordingPart
from memwatch.profiles.forms import FORMS as PROFILES
from memwatch.transport import strict_json
from memwatch.transport.recordings import JSON, MAX_ARTIFACT_BYTES, MEMRAY

FORMS = ("html", "txt", "analysis", "heapsnapshot", "csv", *PROFILES)
"""What is made of a capture (a page, profiles; ``txt`` before there were these) and of a heap dump."""


PART = ".part"
"""At the end of the name of a file that is being written."""


class OutcomeMissing(LookupError):  # noqa: N818 - it is an answer, not an error
    """The outcome of a recording is not there (any more); the text says why."""


def storage() -> Storage:
    """The storage of the setting ``RECORDINGS_STORAGE``, else the private folder of ``RECORDINGS_FOLDER``."""
    settings = get_settings()
    if settings.recordings_storage:
        return storages[settings.recordings_storage]
    folder = settings.recordings_folder_path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"the folder {folder} is not this user's alone: make it so (0700), or name another")
    return FileSystemStorage(folder, base_url=None, file_permissions_mode=0o600, directory_permissions_mode=0o700)


def unpack(packed: bytes, most: int = MAX_ARTIFACT_BYTES) -> bytes:
    """Decompress, within the size that agents may send. Raises :class:`ValueError` for what is broken or bigger."""
    engine = zlib.decompressobj()
    try:
        plain = engine.decompress(packed, most + 1)
    except zlib.error as error:
        raise ValueError(f"cannot be unpacked: {error}") from None
    if len(plain) > most:
        raise ValueError(f"unpacks to more than {most // 1024 // 1024} MB")
    if not engine.eof or engine.unused_data:
        raise ValueError("is cut off, or has something behind its end")
    return plain


def keep(recording: Recording, packed: bytes) -> None:
    """Leave it in the database as it came when it is small, else move it to the storage. Not saved.

    Raises :class:`ValueError` where the storage does not take it.
    """
    if len(packed) <= get_settings().recordings_database_kb * 1024:
        return
    try:
        recording.artifact = storage().save(f"{recording.wire_id}.z", ContentFile(packed))
    except OSError as error:
        raise ValueError(f"cannot be stored: {error}") from None


def read(recording: Recording) -> bytes:
    """The outcome, unpacked. Raises :class:`OutcomeMissing`."""
    if recording.artifact:
        try:
            with storage().open(recording.artifact) as file:
                packed = file.read()
        except OSError as error:
            raise OutcomeMissing(
                f"the file {recording.artifact} cannot be read ({type(error).__name__}): do web and worker share the "
                "storage of recordings (RECORDINGS_STORAGE, RECORDINGS_FOLDER)?"
            ) from None
    else:
        pieces = RecordingPart.objects.filter(recording=recording).order_by("number").values_list("content", flat=True)
        packed = b"".join(map(bytes, pieces))
        if not packed:
            raise OutcomeMissing("nothing was kept of this recording beside its result")
    try:
        return unpack(packed)
    except ValueError as error:
        raise OutcomeMissing(f"the outcome {error}") from None


def result_of(recording: Recording) -> dict[str, Any] | None:
    """The result of a recording that is done, from its row or unpacked; ``None`` where it has none that is read so.

    Raises :class:`OutcomeMissing`.
    """
    if recording.result is not None or recording.content_type != JSON or recording.state != Recording.State.DONE:
        return None if recording.result is None else _checked(recording, recording.result)
    try:
        value = strict_json.loads(read(recording))
    except ValueError as error:
        raise OutcomeMissing(f"the outcome is no JSON: {error}") from None
    return _checked(recording, value)


def _checked(recording: Recording, value: Any) -> dict[str, Any]:
    """What pages may rely on: rows of before may hold anything."""
    try:
        return result_shape.checked(recording.kind, value)
    except ValueError as error:
        raise OutcomeMissing(f"the outcome is no result of its kind: {error}") from None


def replace(name: str, content: File) -> str:  # type: ignore[type-arg]
    """Save under this name instead of what is there; its name. What cannot be saved whole leaves nothing behind.

    In a folder it gets its name when it is whole: who writes it may be killed in the middle. Storages without folders
    show nothing before the end.
    """
    where = storage()
    part = f"{name}{PART}" if isinstance(where, FileSystemStorage) else name
    where.delete(part)
    try:
        saved = where.save(part, content)
    except (OSError, ValueError):
        with contextlib.suppress(OSError):
            where.delete(part)
        raise
    if part == name:
        return saved
    Path(where.path(saved)).replace(where.path(name))
    return name


def cached(name: str) -> bytes | None:
    """What was rendered before under this name."""
    try:
        with storage().open(name) as file:
            return bytes(file.read())
    except OSError:
        return None


def cache(name: str, content: bytes) -> None:
    """Keep what was rendered; that it cannot be kept costs time, nothing else."""
    try:
        storage().save(name, ContentFile(content))
    except OSError:
        return


def rendered_name(recording: Recording, form: str) -> str:
    return f"{recording.wire_id}.{form}"


def remove_files(recordings: QuerySet[Recording]) -> None:
    """Delete the files of rows that are about to go."""
    rows = recordings.filter(content_type=MEMRAY) | recordings.exclude(artifact="")
    rows |= recordings.filter(kind=RecordingKind.HEAP_DUMP)  # what was stored half may have no row that names it
    for recording in rows.only("artifact", "wire_id"):
        names = {rendered_name(recording, form) for form in (*FORMS, "heap")} | {recording.artifact} - {""}
        where = storage()
        if isinstance(where, FileSystemStorage):
            names |= {f"{name}{PART}" for name in names}
        for name in names:
            with contextlib.suppress(OSError):
                where.delete(name)
