"""What a parent knows of the end of its child, written into the child's flight record."""

from __future__ import annotations

import contextlib
import os
import time

from memwatch.transport.flights import folder, layout
from memwatch.transport.private_folder import Folder


def write_status(where: Folder, pid: int, status: int) -> None:
    """The child ``pid`` has ended with ``status``, as :attr:`subprocess.Popen.returncode` says it.

    Nothing happens where it has left no record. Raises :class:`memwatch.transport.TransportUnavailable`.
    """
    with where.opened(folder.FLIGHTS) as opened:
        names = [name for name in folder.names(opened) if folder.pid_in(name) == pid and name not in folder.held]
        if not names:
            return
        with contextlib.suppress(FileNotFoundError):  # collected already
            flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(names[-1], flags, dir_fd=opened)  # the youngest: pids repeat
            try:
                note = layout.NOTE.pack(layout.NOTE_MARK, status, time.time())
                os.pwrite(descriptor, note, layout.NOTE_AT)
            finally:
                os.close(descriptor)
