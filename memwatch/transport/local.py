"""The transport without a server: a spool folder for reports, a Unix socket per process for commands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from memwatch.transport.command_client import ask, sweep_dead_sockets
from memwatch.transport.command_server import Asker, Listener
from memwatch.transport.flights import folder
from memwatch.transport.private_folder import LocalAddress
from memwatch.transport.protocols import Delivery, HubState, Incoming, address, check_report_size
from memwatch.transport.spool import LEASE_S, SpoolReader, SpoolWriter
from memwatch.transport.uplink_base import Wakeable

_SWEEP_S = 600.0


class LocalUplink(Wakeable):
    """The agent's end. No file or socket is made before the first use."""

    def __init__(self, url: str, process_key: str) -> None:
        self._where = LocalAddress.parse(url)
        self._key = process_key
        self._writer = SpoolWriter(self._where)
        self._listener: Listener | None = None
        super().__init__()

    def send(self, payload: bytes) -> None:
        """Write the report to the spool; :class:`TransportUnavailable` when it is full or cannot be written."""
        check_report_size(payload)
        self._writer.write(payload)

    def receive(self, timeout_s: float, *, also: Sequence[int] = ()) -> Incoming | None:
        """The next command to this process's socket; connections that stay silent or send garbage block none."""
        deadline = time.monotonic() + timeout_s
        with self._receiving:
            self._check_open()
            if self._listener is not None and not self._listener.is_reachable():
                self._listener.close()
                self._listener = None
            if self._listener is None:
                self._listener = Listener(self._where.folder, f"{address(self._key)}.sock")
            incoming = self._listener.wait((self._woken_end, *also), deadline)
            if incoming is None:
                self._drain()
            return incoming

    def answer(self, incoming: Incoming, payload: bytes) -> None:
        """To the asker, if he still waits, and into the spool."""
        check_report_size(payload)
        if isinstance(incoming.handle, Asker):
            incoming.handle.answer(self._key, payload)
        self.send(payload)

    def leave(self, payload: bytes) -> None:
        """The file of the process's flight record is there already."""

    def _hang_up(self, *, forked: bool) -> None:
        listener, self._listener = self._listener, None
        if listener is not None and forked:
            listener.forget()
        elif listener is not None:
            listener.close()


class LocalHub:
    """The server's end. It blocks cooperatively under gevent: it lives in the host's own threads."""

    def __init__(self, url: str, *, lease_s: float = LEASE_S) -> None:
        self._url = url
        self._where = LocalAddress.parse(url)
        self._reader = SpoolReader(self._where, lease_s=lease_s)
        self._swept_at = time.monotonic()

    def read(self, *, limit: int) -> list[Delivery]:
        """Claim up to ``limit`` reports, oldest first, those of dead readers too."""
        if not 0 <= time.monotonic() - self._swept_at < _SWEEP_S:
            self._swept_at = time.monotonic()
            sweep_dead_sockets(self._where.folder)
        return self._reader.read(limit)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Delete the files."""
        self._reader.acknowledge([delivery.id for delivery in deliveries])

    def request(self, commands: Mapping[str, bytes], *, timeout_s: float) -> dict[str, bytes]:
        """Ask all at once; a process without a listening socket costs no waiting."""
        return ask(self._where.folder, commands, timeout_s=timeout_s)

    def notify(self, commands: Mapping[str, bytes]) -> None:
        """Write the commands and hang up."""
        ask(self._where.folder, commands, timeout_s=0)

    def left(self, process_key: str) -> bytes | None:
        """Read from the file of a process whose lock is free."""
        places = folder.folders_of(self._url)
        return next((found for each in places if (found := folder.left(each, process_key)) is not None), None)

    def forget(self, process_key: str) -> None:
        """Delete that file."""
        for each in folder.folders_of(self._url):
            folder.forget(each, process_key)

    def state(self) -> HubState:
        """Counted from the files; ``lost`` is 0: a full spool refuses, and the senders count what they drop."""
        return self._reader.state()

    def close(self) -> None:
        """Return unacknowledged reports to the spool."""
        self._reader.give_back()
