"""What every transport promises: an uplink for the agent, a hub for the server, and the values they exchange."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from memwatch.transport.digests import sha256_hex
from memwatch.transport.wire import MAX_REPORT_BYTES, WireError

EVERYONE = "*"
"""In place of a process key: every process that listens."""


class TransportUnavailable(Exception):  # noqa: N818 - a state more than an error
    """The transport cannot be used now; the text says what is wrong and what to do. Trying later may help."""


@dataclasses.dataclass(frozen=True, slots=True)
class Delivery:
    """A report as it was sent, not yet checked."""

    id: str
    payload: bytes
    """At most ``MAX_REPORT_BYTES + 1`` bytes: a longer one is cut, so that decoding refuses it as oversized."""


READ_BYTES = 8 * 1024 * 1024
"""Bytes of reports read or claimed at a time, and one report more: a backlog must not fill the worker's memory."""


@dataclasses.dataclass(frozen=True, slots=True)
class HubState:
    """How full the way from the agents to the server is."""

    backlog: int
    """Reports sent and not yet acknowledged."""
    oldest_s: float | None
    """Age in seconds of the oldest of them; ``None`` when there is none."""
    lost: int
    """Reports that the transport threw away before they were read, since its store was made; never falls."""
    used_bytes: int | None
    """Bytes taken of ``limit_bytes``, or by the reports alone where there is no limit."""
    limit_bytes: int | None
    """``None`` when there is no limit."""


@dataclasses.dataclass(frozen=True, slots=True)
class Incoming:
    """A command as it arrived, not yet checked."""

    payload: bytes
    handle: object = None
    """Whom to answer; the transport's own."""


class Uplink(Protocol):
    """The agent's end. ``send``, ``receive`` and ``answer`` are called by one thread, ``wake`` and ``close`` by any."""

    def send(self, payload: bytes) -> None:
        """Hand over a report; :class:`TransportUnavailable` when it was not taken (keep it, try later)."""

    def receive(self, timeout_s: float, *, also: Sequence[int] = ()) -> Incoming | None:
        """The next command, or ``None`` after ``timeout_s`` seconds, a :meth:`wake`, or when a descriptor of ``also``
        can be read.

        :class:`TransportUnavailable` is raised at once: the caller waits before it tries again.
        """

    def answer(self, incoming: Incoming, payload: bytes) -> None:
        """Give a report to the asker (who may be gone) and send it the ordinary way too; raises as :meth:`send`."""

    def leave(self, payload: bytes) -> None:
        """Keep the process's last record, as JSON, for the time after its end; empty: forget it.

        Nothing where the server reads the record's file itself. Raises as :meth:`send`.
        """

    def wake(self) -> None:
        """Make :meth:`receive` return now; the next one when none is under way."""

    def close(self) -> None:
        """Stop listening. Harmless when repeated; a forked child never closes its parent's."""


class Hub(Protocol):
    """The server's end. Several may be open at once."""

    def read(self, *, limit: int) -> list[Delivery]:
        """Claim up to ``limit`` reports, oldest first. What is not acknowledged in time comes back."""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget reports that are safely stored."""

    def request(self, commands: Mapping[str, bytes], *, timeout_s: float) -> dict[str, bytes]:
        """Send signed commands by process key (or ``EVERYONE``); the reports of those that answered in time.

        With ``EVERYONE`` the call lasts ``timeout_s`` where the transport cannot know who listens.
        """

    def notify(self, commands: Mapping[str, bytes]) -> None:
        """Send commands without waiting for answers."""

    def left(self, process_key: str) -> bytes | None:
        """The last record of a process that has ended, as JSON, not yet checked; ``None`` where it left none."""

    def forget(self, process_key: str) -> None:
        """Remove that record."""

    def state(self) -> HubState:
        """How full it is."""

    def close(self) -> None:
        """Give back what was read and not acknowledged."""


class Peek(Protocol):
    """A look at the reports that takes none away from the hub."""

    def look(self) -> list[bytes]:
        """Reports that came since the last look, oldest first, unchecked; raises :class:`TransportUnavailable`."""

    def close(self) -> None:
        """Give up connections. Harmless when repeated."""


def address(process_key: str) -> str:
    """A process's name in file names and Redis keys: 32 hexadecimal digits."""
    return sha256_hex(process_key.encode("utf-8", "surrogatepass"))[:32]


def check_report_size(payload: bytes) -> None:
    """:class:`WireError` for a report that no hub would take."""
    if len(payload) > MAX_REPORT_BYTES:
        raise WireError("oversized", f"report of {len(payload)} bytes, the limit is {MAX_REPORT_BYTES}")


def redacted(url: str) -> str:
    """The URL without user, password and query, fit for logs and error texts; less where it is not clear."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.split(":", 1)[0][:20] + "://***"
    if parts.scheme != "local" and "@" in parts.path + parts.query + parts.fragment:
        return f"{parts.scheme}://***"  # a password that was not percent-encoded may have spilt into what follows
    user, at, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'***' if user else ''}{at}{host}{parts.path}"
