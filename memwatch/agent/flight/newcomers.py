"""A process that starts hands a pidfd of itself to the eldest ones: its exit status is known however soon it ends.

The eldest listen on a Unix socket beside their records. A pidfd that waits there is open already: the status is not
lost where the process ends before anybody has read the message.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import NamedTuple

from memwatch.transport import gevent_compat
from memwatch.transport.flights import folder
from memwatch.transport.private_folder import Folder

LISTENERS = 4
"""Processes that listen and hold pidfds of the others: who takes over from the eldest knows how they have ended."""
_MOST_TRIED = 16
_MOST_READ = 64
"""Messages that are read at one look."""
_LONGEST = 100
_QUIETLY = getattr(socket, "MSG_NOSIGNAL", 0)
_ONE = socket.CMSG_LEN(struct.calcsize("i")) if hasattr(socket, "CMSG_LEN") else 0
_RECEIVE = getattr(socket, "MSG_DONTWAIT", 0) | getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Newcomer(NamedTuple):
    """What a process says when it starts."""

    name: str
    """Of the file of its record; not checked."""
    descriptor: int
    """A pidfd of it; not checked. ``-1`` where it sent none."""


class Newcomers:
    """The socket of a process that listens. Used by the agent's thread alone."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._inode = 0
        self._name = ""
        self._pid = os.getpid()

    @property
    def descriptor(self) -> int:
        """It can be read when a process has started; ``-1``: this one does not listen."""
        return -1 if self._socket is None else self._socket.fileno()

    def listen(self, opened: int, where: Folder, record: str) -> bool:
        """Whether it has begun now. Raises :class:`OSError` where no socket can be made there."""
        name = folder.socket_name(record)
        if self._socket is not None and self._name == name and self._is_ours() and _exists(opened, name):
            return False
        self.close(opened)
        made = gevent_compat.new_socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=opened)
            made.bind(_path(opened, name))
            os.chmod(name, where.file_mode, dir_fd=opened)
            self._inode = os.fstat(made.fileno()).st_ino
        except BaseException:
            made.close()
            raise
        self._socket, self._name = made, name
        return True

    def arrived(self) -> list[Newcomer]:
        """Those that have started since; the caller closes their descriptors."""
        found: list[Newcomer] = []
        while self._socket is not None and len(found) < _MOST_READ and self._is_ours():
            try:
                text, extra, _flags, _from = self._socket.recvmsg(_LONGEST, _ONE, _RECEIVE)
            except OSError:
                break
            found.append(Newcomer(text.decode("ascii", "replace"), _descriptor(extra)))
        return found

    def _is_ours(self) -> bool:
        """A host may close all descriptors that it does not know, and open others."""
        try:
            return self._socket is not None and os.fstat(self._socket.fileno()).st_ino == self._inode
        except OSError:
            return False

    def close(self, opened: int | None = None) -> None:
        """Listen no more; ``opened``: the folder, where the name is to go as well."""
        made, self._socket = self._socket, None
        if made is None:
            return
        if opened is not None and os.getpid() == self._pid:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=opened)
        self._give_up(made)

    def _give_up(self, made: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if os.fstat(made.fileno()).st_ino == self._inode:
                made.close()
        made.detach()  # else its end would close what the host has opened under that number


def announce(opened: int, record: str) -> int:
    """This process has started, and its record is there: tell those that listen; how many."""
    names = [name for name in folder.sockets(opened) if name != folder.socket_name(record)]
    if not names:
        return 0
    told = 0
    descriptor = _own_pidfd()
    sender = gevent_compat.new_socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sender.setblocking(False)
        rights = [] if descriptor < 0 else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
        for name in names[:_MOST_TRIED]:
            with contextlib.suppress(OSError):  # its owner has ended, or has not read for long
                sender.sendmsg([record.encode()], rights, _QUIETLY, _path(opened, name))
                told += 1
            if told == LISTENERS:
                break
    finally:
        sender.close()
        if descriptor >= 0:
            os.close(descriptor)
    return told


def _own_pidfd() -> int:
    try:
        return os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return -1


def _descriptor(extra: list[tuple[int, int, bytes]]) -> int:
    found = -1
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            for (number,) in struct.iter_unpack("i", data[: len(data) - len(data) % 4]):
                if found >= 0:
                    os.close(number)
                else:
                    found = number
    return found


def _path(opened: int, name: str) -> str:
    """An address that fits into the 107 bytes of a Unix socket's, however deep the folder is."""
    return f"/proc/self/fd/{opened}/{name}"


def _exists(opened: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=opened, follow_symlinks=False)
    except OSError:
        return False
    return True
