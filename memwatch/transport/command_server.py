"""Commands over Unix sockets, one a process: the asker connects, writes a frame, reads a frame.

A command frame is 4 bytes of length and the command. An answer frame is 2 bytes of key length, 4 bytes of report
length, the process key and the report.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Collection
from pathlib import Path

from memwatch.transport import gevent_compat
from memwatch.transport.digests import token_hex
from memwatch.transport.private_folder import Folder
from memwatch.transport.protocols import Incoming, TransportUnavailable
from memwatch.transport.wire import MAX_COMMAND_BYTES

SOCKETS = "sockets"
COMMAND_HEADER = struct.Struct(">I")
ANSWER_HEADER = struct.Struct(">HI")
QUIETLY = getattr(socket, "MSG_NOSIGNAL", 0)
"""No SIGPIPE for the host, which may not ignore it as Python does; macOS has no such flag."""
_CLIENT_S = 0.5
"""How long a connection may take to say what it wants."""
_ANSWER_S = 0.5
_MAX_CLIENTS = 64


def socket_path(folder_fd: int, folder: Path, name: str) -> str:
    """An address of ``name`` that fits into the 107 bytes of a Unix socket address, however deep the folder is."""
    through_proc = Path(f"/proc/self/fd/{folder_fd}")
    return str((through_proc if through_proc.exists() else folder / SOCKETS) / name)


def is_trusted(peer: socket.socket, folder: Folder) -> bool:
    """Whether the other end is this user or root; in a group's folder the socket's own permissions have decided."""
    if folder.group is not None or not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in (0, os.geteuid())


class Asker:
    """One connection to a listener: what has been read of its command, then whom to answer."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.expires_at = time.monotonic() + _CLIENT_S
        self._read = b""

    def feed(self) -> bytes | None:
        """Read what has arrived: the command once it is complete. :class:`ValueError`: this is no asker of ours."""
        try:
            chunk = self.connection.recv(MAX_COMMAND_BYTES + COMMAND_HEADER.size, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise ValueError(f"connection lost: {error.strerror}") from None
        self._read += chunk
        if len(self._read) >= COMMAND_HEADER.size:
            (length,) = COMMAND_HEADER.unpack_from(self._read)
            if length > MAX_COMMAND_BYTES:
                raise ValueError(f"command of {length} bytes, the limit is {MAX_COMMAND_BYTES}")
            if len(self._read) >= COMMAND_HEADER.size + length:
                return self._read[COMMAND_HEADER.size : COMMAND_HEADER.size + length]
        if not chunk:
            raise ValueError("closed before the command was complete")
        return None

    def answer(self, process_key: str, payload: bytes) -> None:
        """Write the answer frame; an asker that is gone or does not read is given up after half a second."""
        key = process_key.encode("utf-8", "surrogatepass")
        view = memoryview(ANSWER_HEADER.pack(len(key), len(payload)) + key + payload)
        deadline = time.monotonic() + _ANSWER_S
        poll = gevent_compat.new_poll()
        poll.register(self.connection, select.POLLOUT)
        with contextlib.suppress(OSError):
            while view and (left := deadline - time.monotonic()) > 0 and poll.poll(left * 1000):
                with contextlib.suppress(BlockingIOError):
                    view = view[self.connection.send(view, socket.MSG_DONTWAIT | QUIETLY) :]
        self.close()

    def close(self) -> None:
        """Hang up."""
        self.connection.close()

    def __del__(self) -> None:
        self.close()  # a command that is refused is dropped unanswered, so that the client sees it at once


class Listener:
    """The process's own socket and the connections to it."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._clients: dict[int, Asker] = {}
        self._socket, self._inode = self._listen()

    def _listen(self) -> tuple[socket.socket, int]:
        """Bound beside and renamed into place: a socket that refuses connections is then a dead one for certain."""
        listener = gevent_compat.new_socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with self._folder.opened(SOCKETS) as opened:
                beside = f".{token_hex(8)}.tmp"
                listener.bind(socket_path(opened, self._folder.path, beside))
                os.chmod(beside, self._folder.file_mode, dir_fd=opened)
                listener.listen(_MAX_CLIENTS)
                listener.setblocking(False)
                os.rename(beside, self._name, src_dir_fd=opened, dst_dir_fd=opened)
                return listener, os.stat(self._name, dir_fd=opened, follow_symlinks=False).st_ino
        except OSError as error:
            listener.close()
            raise TransportUnavailable(
                f"no socket can be made in {self._folder.path}: {error.strerror or error}"
            ) from None
        except BaseException:
            listener.close()
            raise

    def is_reachable(self) -> bool:
        """Whether the socket's name still leads here (somebody may have removed the folder)."""
        try:
            return os.lstat(self._folder.path / SOCKETS / self._name).st_ino == self._inode
        except OSError:
            return False

    def wait(self, wakes: Collection[int], deadline: float) -> Incoming | None:
        """The next complete command; ``None`` at the deadline (monotonic seconds) or when one of ``wakes`` can be
        read."""
        while True:
            now = time.monotonic()
            poll = gevent_compat.new_poll()
            for number in (*wakes, self._socket.fileno(), *self._clients):
                poll.register(number, select.POLLIN)
            until = min([deadline, *(client.expires_at for client in self._clients.values())])
            ready = {number for number, _ in poll.poll(max(0.0, until - now) * 1000)}
            if not ready.isdisjoint(wakes):
                return None
            for number in ready & set(self._clients):
                incoming = self._feed(number)
                if incoming is not None:
                    return incoming
            now = time.monotonic()
            for number in [number for number, client in self._clients.items() if client.expires_at <= now]:
                self._drop(number)  # after what it said was read: this thread may have been busy
            if self._socket.fileno() in ready:
                self._accept()
            elif now >= deadline:
                return None

    def _accept(self) -> None:
        try:
            connection = gevent_compat.accept(self._socket)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise TransportUnavailable("no command can be taken: this process has no file number left") from None
            return
        if len(self._clients) >= _MAX_CLIENTS or not is_trusted(connection, self._folder):
            connection.close()
            return
        self._clients[connection.fileno()] = Asker(connection)

    def _feed(self, number: int) -> Incoming | None:
        try:
            command = self._clients[number].feed()
        except ValueError:
            self._drop(number)
            return None
        return None if command is None else Incoming(command, self._clients.pop(number))

    def _drop(self, number: int) -> None:
        self._clients.pop(number).close()

    def forget(self) -> None:
        """Close without removing the name: for a forked child, whose parent it belongs to."""
        self._socket.close()
        for number in list(self._clients):
            self._drop(number)

    def close(self) -> None:
        """Close and remove the name, where it still is ours."""
        if self.is_reachable():
            with contextlib.suppress(OSError):
                (self._folder.path / SOCKETS / self._name).unlink()
        self.forget()
