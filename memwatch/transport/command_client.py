"""The server's side of the command sockets: ask many processes at once."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import select
import socket
import time
from collections.abc import Iterable, Mapping

from memwatch.transport.command_server import ANSWER_HEADER, COMMAND_HEADER, QUIETLY, SOCKETS, is_trusted, socket_path
from memwatch.transport.private_folder import Folder
from memwatch.transport.protocols import EVERYONE, address
from memwatch.transport.wire import MAX_REPORT_BYTES

_SOCKET = re.compile(r"[0-9a-f]{32}\.sock")
_BESIDE = re.compile(r"\.[0-9a-f]{16}\.tmp")
_YOUNG_S = 60.0


@dataclasses.dataclass(slots=True)
class _Asked:
    connection: socket.socket
    key: str
    """The process that must answer; ``EVERYONE``: any."""
    read: bytearray = dataclasses.field(default_factory=bytearray)

    def feed(self) -> tuple[str, bytes] | None:
        """Key and report once the answer is complete; :class:`ValueError` when none will come."""
        try:
            chunk = self.connection.recv(256 * 1024, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise ValueError(str(error)) from None
        self.read += chunk
        if len(self.read) >= ANSWER_HEADER.size:
            key_length, length = ANSWER_HEADER.unpack_from(self.read)
            if length > MAX_REPORT_BYTES:
                raise ValueError("oversized answer")
            start = ANSWER_HEADER.size + key_length
            if len(self.read) >= start + length:
                key = self.read[ANSWER_HEADER.size : start].decode("utf-8", "surrogatepass")
                if self.key not in (EVERYONE, key):
                    raise ValueError("answer of another process")
                return key, bytes(self.read[start : start + length])
        if not chunk:
            raise ValueError("hung up")
        return None


def ask(folder: Folder, commands: Mapping[str, bytes], *, timeout_s: float) -> dict[str, bytes]:
    """Send each command to its process's socket and gather the answers that come within ``timeout_s`` seconds.

    With ``timeout_s=0`` the commands are sent without waiting for answers.
    """
    deadline = time.monotonic() + timeout_s
    waiting: dict[int, _Asked] = {}
    answers: dict[str, bytes] = {}
    try:
        with folder.opened(SOCKETS) as opened:
            for key, command in commands.items():
                for name in _names(opened, key):
                    connection = _connect(folder, opened, name, command)
                    if connection is not None:
                        waiting[connection.fileno()] = _Asked(connection, key)
        poll = select.poll()
        for number in waiting:
            poll.register(number, select.POLLIN)
        while waiting and (left := deadline - time.monotonic()) > 0:
            for number, _ in poll.poll(left * 1000):
                try:
                    answer = waiting[number].feed()
                except ValueError:
                    answer = None
                else:
                    if answer is None:
                        continue
                    answers[answer[0]] = answer[1]
                poll.unregister(number)
                waiting.pop(number).connection.close()
    finally:
        for asked in waiting.values():
            asked.connection.close()
    return answers


def _names(opened: int, key: str) -> Iterable[str]:
    if key == EVERYONE:
        return [name for name in os.listdir(opened) if _SOCKET.fullmatch(name)]
    return [f"{address(key)}.sock"]


def _connect(folder: Folder, opened: int, name: str, command: bytes) -> socket.socket | None:
    """A connection over which the command was sent; the name of a dead process's socket is removed."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.connect(socket_path(opened, folder.path, name))
        if is_trusted(connection, folder):
            frame = COMMAND_HEADER.pack(len(command)) + command
            if connection.send(frame, QUIETLY) == len(frame):
                return connection
    except ConnectionRefusedError:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=opened)
    except OSError:
        pass  # not there, or too busy to be connected: it does not answer
    connection.close()
    return None


def sweep_dead_sockets(folder: Folder) -> int:
    """Remove the sockets of processes that ended without closing them; how many."""
    removed = 0
    with folder.opened(SOCKETS) as opened:
        for name in os.listdir(opened):  # noqa: PTH208
            if not (_SOCKET.fullmatch(name) or _BESIDE.fullmatch(name)):
                continue
            with contextlib.suppress(OSError):
                age = time.time() - os.stat(name, dir_fd=opened, follow_symlinks=False).st_mtime
                if abs(age) < _YOUNG_S:
                    continue
                with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
                    probe.setblocking(False)
                    try:
                        probe.connect(socket_path(opened, folder.path, name))
                    except ConnectionRefusedError:
                        os.unlink(name, dir_fd=opened)
                        removed += 1
    return removed
