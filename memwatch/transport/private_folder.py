"""The folder of the ``local:`` transport: made, checked, and opened so that no link leads out of it."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from memwatch.transport.protocols import TransportUnavailable

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """A folder of one user (0700), or of a group (2770) whose members trust one another."""

    path: Path
    group: int | None = None
    """The group's number; ``None``: one user's."""

    @property
    def folder_mode(self) -> int:
        """Permissions of folders made here."""
        return 0o700 if self.group is None else 0o2770

    @property
    def file_mode(self) -> int:
        """Permissions of files and sockets made here."""
        return 0o600 if self.group is None else 0o660

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """A descriptor of the folder ``name`` below this one; both are made where they lack.

        Raises :class:`TransportUnavailable` when they cannot be made or are not to be trusted, and in place of any
        :class:`OSError` of the work done with it. A descriptor is held for one piece of work only, so a folder removed
        in between is made again for the next.
        """
        try:
            root = self._open(self.path, None)
            try:
                inner = self._open(Path(name), root)
            finally:
                os.close(root)
            try:
                yield inner
            finally:
                os.close(inner)
        except OSError as error:
            raise TransportUnavailable(self._trouble(error)) from None

    def _trouble(self, error: OSError) -> str:
        text = f"the transport folder {self.path} cannot be used: {error.strerror or error}"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            text += (
                f": make it writable for user {_user(os.geteuid())}, or name another, e.g. local:///var/run/memwatch"
            )
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            text += ": free space on its disk, or name a folder on another"
        return text

    def _open(self, path: Path, parent: int | None) -> int:
        made = False
        try:
            opened = os.open(path, _FLAGS, dir_fd=parent)
        except FileNotFoundError:
            made = self._make(path, parent)
            opened = os.open(path, _FLAGS, dir_fd=parent)
        except NotADirectoryError:
            raise TransportUnavailable(
                f"{self.path / path} is a symbolic link or no folder: name the folder itself"
            ) from None
        try:
            if made:
                if self.group is not None:
                    os.fchown(opened, -1, self.group)
                os.fchmod(opened, self.folder_mode)
            self._check(self.path / path, os.fstat(opened))
        except BaseException:
            os.close(opened)
            raise
        return opened

    def _make(self, path: Path, parent: int | None) -> bool:
        if parent is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.mkdir(path, 0o700, dir_fd=parent)
        except FileExistsError:
            return False
        return True

    def _check(self, path: Path, found: os.stat_result) -> None:
        mode = stat.S_IMODE(found.st_mode)
        if self.group is None:
            if found.st_uid != os.geteuid():
                raise TransportUnavailable(
                    f"{path} belongs to user {_user(found.st_uid)}, this process runs as {_user(os.geteuid())}: "
                    "name a folder of its own, or share one between the users of a group with ?group=<name>"
                )
            if mode & 0o022:
                raise TransportUnavailable(
                    f"{path} can be written by other users (mode {mode:o}): name a folder of memwatch's own, "
                    f"or run: chmod 700 {path}"
                )
        elif found.st_gid != self.group or mode & 0o072 != 0o070:
            raise TransportUnavailable(
                f"{path} has group {_group(found.st_gid)} and mode {mode:o}: "
                f"run: chgrp {_group(self.group)} {path} && chmod 2770 {path}"
            )


@dataclasses.dataclass(frozen=True, slots=True)
class LocalAddress:
    """What a ``local:`` URL says."""

    folder: Folder
    max_bytes: int = 64 * 1024 * 1024
    max_files: int = 10_000
    flights_in_memory: bool = False
    """Whether flight records are kept in memory, where that can be."""

    @classmethod
    def parse(cls, url: str) -> LocalAddress:
        """``local:///folder?group=www&max_mb=64&max_files=10000&flights=memory``.

        :class:`ValueError` says what is wrong.
        """
        parts = urlsplit(url)
        path = unquote(parts.path)
        if parts.scheme != "local" or parts.netloc or not path.startswith("/") or path.strip("/") == "" or "\0" in path:
            raise ValueError(f"{url!r}: give an absolute folder after three slashes, e.g. local:///var/run/memwatch")
        values = dict(parse_qsl(parts.query, keep_blank_values=True))
        group = values.pop("group", None)
        max_mb = _whole("max_mb", values.pop("max_mb", "64"))
        max_files = _whole("max_files", values.pop("max_files", "10000"))
        flights = values.pop("flights", "")
        if flights not in ("", "memory"):
            raise ValueError(
                f"flights={flights!r} in the local: URL: give memory, or leave it out for the folder itself"
            )
        if values:
            known = "flights, group, max_mb, max_files"
            raise ValueError(f"{url!r} has the unknown option {min(values)!r}: known are {known}")
        folder = Folder(Path(os.path.normpath(path)), None if group is None else _group_number(group))
        return cls(folder, max_bytes=max_mb * 1024 * 1024, max_files=max_files, flights_in_memory=flights == "memory")


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 10**7):
        raise ValueError(f"{name}={text!r} in the local: URL: give a whole number from 1 to 10000000")
    return int(text)


def _group_number(name: str) -> int:
    if name.isascii() and name.isdecimal():
        return int(name)
    try:
        import grp  # noqa: PLC0415 - only for names

        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ValueError(f"group={name!r} in the local: URL: this machine has no such group") from None


def _group(number: int) -> str:
    try:
        import grp  # noqa: PLC0415 - only for names

        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _user(number: int) -> str:
    try:
        import pwd  # noqa: PLC0415 - only for names

        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
