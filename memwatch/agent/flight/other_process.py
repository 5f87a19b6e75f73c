"""Another process of this machine: whether it is still the same one, and with which status it ended.

Since Linux 6.15 the kernel tells the exit status of any process to who held a pidfd of it while it lived.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct

from memwatch.sampling.procmem import read_bytes

_GET_INFO = (3 << 30) | (64 << 16) | (0xFF << 8) | 11
"""``PIDFD_GET_INFO`` with the structure's first 64 bytes."""
_EXIT = 1 << 3
_STATUS_AT = 60
_STATE, _STARTED, _EXIT_CODE = 0, 19, 49
"""Fields of ``/proc/<pid>/stat`` after the name, from 0."""
_GONE = (b"Z", b"X", b"x")
_ENDED = -1
"""In the place of the pid of a process that has ended and was reaped."""


def own_pid_space() -> int:
    """Where this process's pid is valid; 0 where the kernel does not say."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - no path object for each look
    except OSError:
        return 0


def started_ticks(pid: int | str = "self") -> int:
    """When a process started, in ticks since the machine did; 0 where there is none that runs."""
    fields = _fields(pid)
    return 0 if fields is None or fields[_STATE] in _GONE else int(fields[_STARTED])


def _first_ticks(pid: int) -> int:
    """As :func:`started_ticks`, also of a process that has ended and was not reaped."""
    fields = _fields(pid)
    return 0 if fields is None else int(fields[_STARTED])


def _fields(pid: int | str) -> list[bytes] | None:
    fields = (read_bytes(f"/proc/{pid}/stat") or b"").rpartition(b")")[2].split()
    return fields if len(fields) > _EXIT_CODE and fields[_STARTED].isdigit() else None


class OtherProcess:
    """Holds a pidfd, so that no process which gets the same pid is taken for it."""

    def __init__(self, pid: int, ticks: int, descriptor: int | None = None) -> None:
        """``descriptor``: a pidfd that the process itself has opened; from now on it is closed here.

        Raises :class:`OSError` where it is another process's or no pidfd, or the kernel has none.
        """
        self._pid, self._ticks = pid, ticks
        self._descriptor = _open(pid) if descriptor is None else descriptor
        self._identity = _identity(self._descriptor)
        behind = _pid_behind(self._descriptor)
        has_ended = descriptor is not None and behind == _ENDED
        if not has_ended and (behind != pid or _first_ticks(pid) != ticks):
            self.close()
            raise ProcessLookupError(pid)

    @property
    def descriptor(self) -> int:
        """It can be read once the process has ended."""
        return self._descriptor

    def status(self) -> int | None:
        """As :attr:`subprocess.Popen.returncode`, once it has ended and the kernel tells; else ``None``."""
        if not self._is_ours():
            return None
        asked = bytearray(64)
        struct.pack_into("Q", asked, 0, _EXIT)
        try:
            fcntl.ioctl(self._descriptor, _GET_INFO, asked)
            if struct.unpack_from("Q", asked)[0] & _EXIT:
                return os.waitstatus_to_exitcode(struct.unpack_from("i", asked, _STATUS_AT)[0])
        except (OSError, ValueError):
            pass
        return unreaped_status(self._pid, self._ticks)

    def close(self) -> None:
        """Give the descriptor back, unless the host has closed it and its number is another file's."""
        if self._is_ours():
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1

    def _is_ours(self) -> bool:
        try:
            return self._descriptor >= 0 and _identity(self._descriptor) == self._identity
        except OSError:
            return False


def unreaped_status(pid: int, ticks: int) -> int | None:
    """The status of a process whose parent has not asked for it yet."""
    fields = _fields(pid)
    if fields is None or fields[_STATE] not in _GONE or int(fields[_STARTED]) != ticks:
        return None
    try:
        return os.waitstatus_to_exitcode(int(fields[_EXIT_CODE]))
    except ValueError:
        return None


def _open(pid: int) -> int:
    if not hasattr(os, "pidfd_open"):
        raise OSError("no pidfds")
    return os.pidfd_open(pid)


def _pid_behind(descriptor: int) -> int | None:
    """Of a pidfd the pid, or :data:`_ENDED`; ``None``: it is none, or its pid is not valid here."""
    line = re.search(rb"^Pid:\t(-?\d+)$", read_bytes(f"/proc/self/fdinfo/{descriptor}") or b"", re.MULTILINE)
    return None if line is None else int(line[1])


def _identity(descriptor: int) -> tuple[str, int]:
    """What it leads to: before Linux 6.9 all pidfds have one inode."""
    return os.readlink(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor).st_ino  # noqa: PTH115 - no path object
