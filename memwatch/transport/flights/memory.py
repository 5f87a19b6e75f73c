"""Flight records in memory: a folder of one user's, or of a group's, in ``/dev/shm``.

A store into a file on a disk can wait for the disk. In memory it never does, and no other user may read there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from memwatch.sampling.procmem import read_bytes
from memwatch.transport.private_folder import Folder

SHARED = Path("/dev/shm")  # noqa: S108 - a folder below it is checked to be the user's own
ROOM_BYTES = 4 * 1024 * 1024
"""So much has to be free: the host's own use of it must not fail because of memwatch."""
_MOUNTS = "/proc/self/mounts"
_AS_NOW = os.access in os.supports_effective_ids
"""Whether a process that has become another user can ask for that user."""


def folder(name: str, group: int | None = None) -> Folder | None:
    """The folder of that name; ``None`` where memory cannot be used, or somebody else has taken the name.

    All processes of a user on a machine, or in a container, get the same answer.
    """
    if not _is_in_memory() or not os.access(SHARED, os.W_OK | os.X_OK, effective_ids=_AS_NOW):
        return None
    found = Folder(SHARED / f"{_prefix(group)}{name}", group)
    return found if _is_trusted(found) else None


def has_room(where: Path) -> bool:
    """Whether a record more may be made; true for a folder elsewhere, whose disk says so itself."""
    if where.parent != SHARED:
        return True
    try:
        found = os.statvfs(SHARED)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize >= ROOM_BYTES


def remove_empty(where: Path, inner: str) -> None:
    """The user's folders in memory that hold nothing any more, where ``where`` is one of them."""
    if where.parent != SHARED:
        return
    for path in (where, *SHARED.glob(f"{_prefix(None)}*")):
        with contextlib.suppress(OSError):
            if path.lstat().st_uid == os.geteuid():
                with contextlib.suppress(FileNotFoundError):
                    (path / inner).rmdir()
                path.rmdir()


def _prefix(group: int | None) -> str:
    return f"memwatch-{os.geteuid()}-" if group is None else f"memwatch-g{group}-"


def _is_in_memory() -> bool:
    lines = (read_bytes(_MOUNTS, 1_000_000) or b"").splitlines()
    kinds = [fields[2] for line in lines if len(fields := line.split(b" ")) > 2 and fields[1] == os.fsencode(SHARED)]
    return kinds[-1:] == [b"tmpfs"]


def _is_trusted(where: Folder) -> bool:
    """Whether the folder is not there yet, or as memwatch makes it."""
    try:
        found = where.path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        return False
    if where.group is None:
        return found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return found.st_gid == where.group and found.st_mode & 0o072 == 0o070
