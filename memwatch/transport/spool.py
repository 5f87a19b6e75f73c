"""Reports as files: one a batch, written beside and renamed into place, claimed by renaming.

Names sort by age and carry a random part (pids repeat in containers). A claim's name starts with the time it was made,
so a claim whose holder died is found by its name and taken over by one more rename, which only one can win.

The spool is bounded in bytes and files. A full one *refuses* new reports instead of dropping the oldest: the sender
keeps what was refused in its own bounded buffer and counts what falls out of that, so every loss is counted, by the
process that had it; and an old goodbye or baseline is not lost for a fresher figure.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import re
import stat
import time

from memwatch.transport.digests import token_hex
from memwatch.transport.private_folder import LocalAddress
from memwatch.transport.protocols import READ_BYTES, Delivery, HubState, TransportUnavailable
from memwatch.transport.wire import MAX_REPORT_BYTES

SPOOL, CLAIMED = "spool", "claimed"
LEASE_S = 60.0
"""A claim older than this is taken over."""
LEFT_OVER_S = 60.0
"""A file half written for so long was left by a killed process."""
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
_DISK = frozenset({errno.EIO, errno.ESTALE})
"""Errors that say nothing of the report; those of the disk may be of one file alone."""
_COUNTED_FOR_S = 5.0
_REPORT = re.compile(r"(\d{20})-[0-9a-f]{16}\.report")
_CLAIM = re.compile(r"(\d{20})\.[0-9a-f]{8}\.((\d{20})-[0-9a-f]{16}\.report)")


class SpoolWriter:
    """The sender's side."""

    def __init__(self, where: LocalAddress) -> None:
        self._where = where
        self._files = self._bytes = 0
        self._counted_at = -1e9

    def write(self, payload: bytes) -> None:
        """Put one report in the spool; :class:`TransportUnavailable` when it is full or cannot be written."""
        folder = self._where.folder
        with folder.opened(SPOOL) as spool:
            self._check_room(spool, len(payload))
            name = f"{time.time_ns():020d}-{token_hex(8)}.report"
            beside = f".{name}.tmp"
            try:
                _write_file(spool, beside, payload, folder.file_mode)
                os.rename(beside, name, src_dir_fd=spool, dst_dir_fd=spool)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(beside, dir_fd=spool)
                raise
        self._files += 1
        self._bytes += len(payload)

    def _check_room(self, spool: int, more: int) -> None:
        now = time.monotonic()
        full = self._files >= self._where.max_files or self._bytes + more > self._where.max_bytes
        if full or not 0 <= now - self._counted_at < _COUNTED_FOR_S:
            sizes = [found.size for found in _listed(spool)]
            self._files, self._bytes, self._counted_at = len(sizes), sum(sizes), now
        if self._files >= self._where.max_files or self._bytes + more > self._where.max_bytes:
            raise TransportUnavailable(
                f"the spool in {self._where.folder.path} is full ({self._files} reports, {self._bytes // 1024} KB): "
                "is the worker that ingests them running?"
            )


class SpoolReader:
    """The hub's side; several may read at once."""

    def __init__(self, where: LocalAddress, *, lease_s: float = LEASE_S) -> None:
        self._where = where
        self._lease_s = lease_s
        self._held: set[str] = set()
        self._pid = os.getpid()
        self._tidied_at = -1e9

    def read(self, limit: int) -> list[Delivery]:
        """Claim up to ``limit`` reports of some megabytes, oldest first; claims of dead readers count as old."""
        with self._where.folder.opened(SPOOL) as spool, self._where.folder.opened(CLAIMED) as claimed:
            self._tidy(spool)
            waiting = [(name, claimed, name[30:]) for name in self._lapsed(os.listdir(claimed))]  # noqa: PTH208
            waiting += [(name, spool, name) for name in os.listdir(spool) if _REPORT.fullmatch(name)]  # noqa: PTH208
            waiting.sort(key=lambda item: item[2])
            deliveries: list[Delivery] = []
            read = 0
            for name, source, report in waiting:
                if len(deliveries) >= limit or read >= READ_BYTES:
                    break
                claim = f"{time.time_ns():020d}.{token_hex(4)}.{report}"
                try:
                    os.rename(name, claim, src_dir_fd=source, dst_dir_fd=claimed)
                except FileNotFoundError:
                    continue  # another reader was faster
                self._held.add(claim)
                try:
                    deliveries.append(Delivery(claim, read_file(claimed, claim)))
                    read += len(deliveries[-1].payload)
                except OSError as error:
                    if error.errno not in _DISK:
                        raise
                    self._held.discard(claim)  # the next reader tries again, a lease later
            return deliveries

    def acknowledge(self, ids: list[str]) -> None:
        """Delete claimed reports; one that another reader has taken over is left to that reader."""
        with self._where.folder.opened(CLAIMED) as claimed:
            for claim in ids:
                self._held.discard(claim)
                if _CLAIM.fullmatch(claim):
                    _remove(claim, claimed)

    def give_back(self) -> None:
        """Return what is held to the spool, for others to read at once."""
        held, self._held = self._held, set()
        if held and self._pid == os.getpid():  # in a forked child they are the parent's
            with self._where.folder.opened(SPOOL) as spool, self._where.folder.opened(CLAIMED) as claimed:
                for claim in held:
                    with contextlib.suppress(OSError):
                        os.rename(claim, claim[30:], src_dir_fd=claimed, dst_dir_fd=spool)

    def state(self) -> HubState:
        """Reports in the spool and claimed ones."""
        with self._where.folder.opened(SPOOL) as spool, self._where.folder.opened(CLAIMED) as claimed:
            found = [file for file in _listed(spool) + _listed(claimed) if file.sent_ns is not None]
        oldest = min((file.sent_ns for file in found if file.sent_ns is not None), default=None)
        return HubState(
            backlog=len(found),
            oldest_s=None if oldest is None else max(0.0, (time.time_ns() - oldest) / 1e9),
            lost=0,
            used_bytes=sum(file.size for file in found),
            limit_bytes=self._where.max_bytes,
        )

    def _lapsed(self, names: list[str]) -> list[str]:
        now = time.time_ns()
        lease = int(self._lease_s * 1e9)
        parsed = [(name, match) for name in names if (match := _CLAIM.fullmatch(name))]
        # A claim from the future was made before the clock was set back.
        return [name for name, match in parsed if not now - lease <= int(match[1]) <= now + lease]

    def _tidy(self, spool: int) -> None:
        if 0 <= time.monotonic() - self._tidied_at < LEFT_OVER_S:
            return
        self._tidied_at = time.monotonic()
        for file in _listed(spool):
            if file.name.endswith(".tmp") and not -LEFT_OVER_S < time.time() - file.changed < LEFT_OVER_S:
                _remove(file.name, spool)


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    name: str
    size: int
    changed: float
    sent_ns: int | None


def _listed(folder: int) -> list[_Found]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # another reader took it
            claim = _CLAIM.fullmatch(entry.name)
            report = _REPORT.fullmatch(entry.name)
            sent = int(claim[3]) if claim else int(report[1]) if report else None
            found.append(_Found(entry.name, status.st_size, status.st_mtime, sent))
    return found


def _write_file(folder: int, name: str, payload: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    opened = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        os.fchmod(opened, mode)
        view = memoryview(payload)
        while view:
            view = view[os.write(opened, view) :]
    finally:
        os.close(opened)


def read_file(folder: int, name: str) -> bytes:
    """At most one byte over the limit; nothing for what is no readable file, which decoding then refuses.

    Raises :class:`OSError` where this process or the disk cannot read now: no file number is left, the disk fails.
    """
    try:
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_ROOM | _DISK:
            raise
        return b""
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        return b""
    with os.fdopen(opened, "rb") as file:
        return file.read(MAX_REPORT_BYTES + 1)


def report_name(name: str) -> str | None:
    """The report that a file of the spool or a claim holds; ``None`` for other files."""
    claim = _CLAIM.fullmatch(name)
    return claim[2] if claim else name if _REPORT.fullmatch(name) else None


def _remove(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=folder)
    except OSError:
        pass
