"""What a parent knows of the end of its child, written into the child's flight record."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable

from memwatch.agent.flight.other_process import own_pid_space
from memwatch.transport.flights import folder, layout
from memwatch.transport.private_folder import Folder
from memwatch.transport.wire import WireError


def write_status(places: Iterable[Folder], pid: int, status: int) -> None:
    """The child ``pid`` has ended with ``status``, as :attr:`subprocess.Popen.returncode` says it.

    Nothing happens where it has left no record. Raises :class:`memwatch.transport.TransportUnavailable`.
    """
    for where in places:
        if (where.path / folder.FLIGHTS).exists():
            _write_status(where, pid, status)


def _write_status(where: Folder, pid: int, status: int) -> None:
    with where.opened(folder.FLIGHTS) as opened:
        names = [name for name in folder.names(opened) if folder.pid_in(name) == pid and name not in folder.held]
        for name in reversed(names):  # the youngest: pids repeat
            with contextlib.suppress(FileNotFoundError, WireError):  # collected already, or no record
                if _note(opened, name, status):
                    return


def _note(opened: int, name: str, status: int) -> bool:
    """Whether the record is of a process whose pid is valid here: other containers may share the folder."""
    descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=opened)
    try:
        if layout.read(folder.content(descriptor)).pid_space not in (0, own_pid_space()):
            return False
        os.pwrite(descriptor, layout.NOTE.pack(layout.NOTE_MARK, status, time.time()), layout.NOTE_AT)
        return True
    finally:
        os.close(descriptor)
