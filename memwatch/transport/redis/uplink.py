"""The transport for many hosts and containers: Redis streams (6.2 or newer).

Reports go into one capped stream, read by a consumer group. Commands come through one stream for all and one per
process, read by one blocking ``XREAD``. An agent can be given a Redis user that may write reports and read commands,
and nothing else: see :data:`memwatch.transport.redis.connection.AGENT_ACL`.
"""

from __future__ import annotations

import collections
import contextlib
import select
import tempfile  # noqa: F401 - the folder of flight records needs it, and the agent's thread is not to import it
import time
from collections.abc import Sequence
from typing import Any

from memwatch.transport import gevent_compat
from memwatch.transport.protocols import Incoming, TransportUnavailable, check_report_size
from memwatch.transport.redis.connection import RedisAddress
from memwatch.transport.uplink_base import Wakeable

BLOCK_S = 10.0
"""How long Redis holds a question for commands before it says that there are none."""
LEFT_EXPIRES_S = 86_400
"""For so long the server may ask for the last record of a process."""
_GRACE_S = 2.0
_IDLE_S = 5.0
"""The connection for reports is closed after so long: most of the time an agent has one, not two."""


class RedisUplink(Wakeable):
    """The agent's end: one connection that waits for commands, and a second one while there are reports to send.

    The question for commands stays open between two calls of :meth:`receive`, so none slips through between them.
    """

    def __init__(self, url: str, process_key: str) -> None:
        self._where = RedisAddress(url)
        self._key = process_key.encode("utf-8", "surrogatepass")
        self._streams = [self._where.commands_to_all, self._where.commands_to(process_key)]
        self._left = self._where.left_by(process_key)
        self._listening = self._where.connection()
        self._sending = self._where.connection()
        self._sent_at = 0.0
        self._asked_at: float | None = None
        self._seen: list[bytes] = []
        """The newest entry known of each stream; empty before the first connection."""
        self._placed = False
        """Whether ``_seen`` was compared with Redis since the last connection was made."""
        self._arrived: collections.deque[Incoming] = collections.deque()
        super().__init__()

    def send(self, payload: bytes) -> None:
        """Append the report to the stream. After a timeout it may have arrived all the same, and arrive twice."""
        self._append(payload)

    def answer(self, incoming: Incoming, payload: bytes) -> None:
        """One report that carries the command's id: the asker sees it in the stream, and so does the ingest."""
        self._append(payload, b"c", incoming.handle if isinstance(incoming.handle, bytes) else b"")

    def leave(self, payload: bytes) -> None:
        """One key a process, which Redis forgets after a day."""
        self._send("SET", self._left, payload, "EX", LEFT_EXPIRES_S if payload else 1)

    def _append(self, payload: bytes, *fields: bytes) -> None:
        check_report_size(payload)
        limit = ("MAXLEN", "~", self._where.maxlen)
        self._send("XADD", self._where.reports, *limit, "*", b"p", payload, b"k", self._key, *fields)

    def _send(self, *command: str | bytes | int) -> None:
        with self._where.errors_explained():
            self._sending.send_command(*command, check_health=False)
            self._sending.read_response()
            self._sent_at = time.monotonic()

    def receive(self, timeout_s: float, *, also: Sequence[int] = ()) -> Incoming | None:
        """The next command, from the first call on; a Redis that falls silent is noticed after 12 seconds."""
        deadline = time.monotonic() + timeout_s
        with self._receiving:
            self._check_open()
            while not self._arrived:
                with self._where.errors_explained():
                    try:
                        asked_at = self._ask()
                        if not self._wait(asked_at, deadline, also):
                            return None
                        if self._listening.can_read(timeout=0):
                            self._take(self._listening.read_response())
                    except BaseException:
                        self._lose()
                        raise
            return self._arrived.popleft()

    def _ask(self) -> float:
        """When the question that is open now was asked (monotonic seconds)."""
        if self._asked_at is None:
            if not self._placed:
                self._find_positions()
            self._listening.send_command(
                "XREAD", "COUNT", 16, "BLOCK", int(BLOCK_S * 1000), "STREAMS", *self._streams, *self._seen,
                check_health=False,
            )  # fmt: skip
            self._asked_at = time.monotonic()
        return self._asked_at

    def _find_positions(self) -> None:
        """Commands count from now on; after a reconnection from the last one seen, unless Redis started empty."""
        newest = []
        for stream in self._streams:
            self._listening.send_command("XREVRANGE", stream, "+", "-", "COUNT", 1, check_health=False)
            entries = self._listening.read_response()
            newest.append(entries[0][0] if entries else b"0-0")
        known = self._seen or newest
        self._seen = [min(pair, key=_order) for pair in zip(known, newest, strict=True)]
        self._placed = True

    def _wait(self, asked_at: float, deadline: float, also: Sequence[int]) -> bool:
        """Until there is something to read; false when it is time to return without."""
        if time.monotonic() - self._sent_at > _IDLE_S:
            self._sending.disconnect()
        silent_at = asked_at + BLOCK_S + _GRACE_S
        poll = gevent_compat.new_poll()
        poll.register(self._listening._sock, select.POLLIN)  # the library offers no other way
        for number in (self._woken_end, *also):
            poll.register(number, select.POLLIN)
        while True:
            now = time.monotonic()
            ready = {number for number, _ in poll.poll(max(0.0, min(deadline, silent_at) - now) * 1000)}
            if self._woken_end in ready:
                self._drain()
                return False
            if not ready.isdisjoint(also):
                return False
            if ready:
                return True
            if time.monotonic() >= silent_at:
                raise TransportUnavailable(f"Redis at {self._where.shown} has fallen silent")
            if time.monotonic() >= deadline:
                return False

    def _take(self, response: Any) -> None:
        self._asked_at = None
        for stream, entries in response or ():
            which = self._streams.index(stream.decode())
            for entry, fields in entries:
                self._seen[which] = entry
                values = dict(zip(fields[::2], fields[1::2], strict=False))
                self._arrived.append(Incoming(values.get(b"c", b""), stream + b" " + entry))

    def _lose(self) -> None:
        self._asked_at, self._placed = None, False
        self._listening.disconnect()

    def _hang_up(self, *, forked: bool) -> None:
        """In a child the library closes without a shutdown, which the parent would feel."""
        with contextlib.suppress(Exception):
            self._lose()
        with contextlib.suppress(Exception):
            self._sending.disconnect()


def _order(entry: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number or 0)
