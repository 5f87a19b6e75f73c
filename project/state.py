"""The folder of what a deployment keeps on disk, private to its user."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def state_folder(folder: Path) -> Path:
    """Make the folder, 0700; one of this user's that others may look into is made so,
    unless it is shared on purpose, as /tmp or a group's folder is.

    :class:`ImproperlyConfigured` says what to do where it cannot be made or written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{folder} cannot be made ({error.strerror}): set MEMWATCH_VAR to a folder that this user may write to"
        ) from error
    if not os.access(folder, os.W_OK):
        raise ImproperlyConfigured(
            f"{folder} is not writable: set MEMWATCH_VAR to a folder that this user may write to, or change its owner"
        )
    found = folder.stat()
    if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not found.st_mode & (stat.S_ISVTX | stat.S_ISGID):
        with contextlib.suppress(OSError):  # a file system without permissions
            folder.chmod(0o700)
    return folder


def log_format(name: str) -> str:
    """``line`` or ``json``; :class:`ImproperlyConfigured` for another."""
    if name not in ("line", "json"):
        raise ImproperlyConfigured(f'LOG_FORMAT is {name!r}: give "line" or "json"')
    return name


def stored_secret(path: Path) -> str:
    """The secret kept in the file, drawn and stored (0600) when there is none; several processes may start at once."""
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(draft, path)  # fails where another process was first: then its secret counts
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return _read(path)


def _read(path: Path) -> str:
    secret = path.read_text().strip()
    if len(secret) < 32:
        raise ImproperlyConfigured(f"{path} holds no secret of 32 characters or more: remove it, a new one is drawn")
    return secret
