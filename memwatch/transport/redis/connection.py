"""Connections to Redis: what the URL says, which keys are used, and errors that keep passwords to themselves."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, UnixDomainSocketConnection, parse_url
from redis.retry import Retry

from memwatch.transport import gevent_compat
from memwatch.transport.protocols import EVERYONE, TransportUnavailable, address, redacted

CONNECT_S = 1.0
ANSWER_S = 2.0
"""How long Redis may take to connect, and to answer a command that does not wait."""

AGENT_ACL = "+xadd +xread +xrevrange +select %W~{prefix}:up %R~{prefix}:cmd:* (+set %W~{prefix}:flight:*)"
"""What the agents' user needs (Redis 7 syntax). It cannot write commands, nor read reports and last records."""

AGENT_ACL_6 = "+xadd +xread +xrevrange +select ~{prefix}:up ~{prefix}:cmd:*"
"""The same for Redis 6.2, which has no rights for reading or writing alone: it can write commands and read reports.

Without ``+set``, which could then overwrite the reports, processes leave no last record in Redis.
"""


class _NativeTcp(Connection):
    """A connection made of the system's sockets although gevent has replaced Python's."""

    def _connect(self) -> socket.socket:
        error: OSError | None = None
        found = gevent_compat.original("socket", "getaddrinfo")(
            self.host, self.port, self.socket_type, socket.SOCK_STREAM
        )
        for family, kind, _, _, where in found:
            made = gevent_compat.new_socket(family, kind)
            try:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return _connected(self, made, where)
            except OSError as failed:
                error = failed
        raise error or OSError("the name leads to no address")


class _NativeUnix(UnixDomainSocketConnection):
    """A connection over a Unix socket."""

    def _connect(self) -> socket.socket:
        return _connected(self, gevent_compat.new_socket(socket.AF_UNIX, socket.SOCK_STREAM), self.path)


def _connected(connection: Any, made: socket.socket, where: Any) -> socket.socket:
    try:
        made.settimeout(connection.socket_connect_timeout)
        made.connect(where)
        made.settimeout(connection.socket_timeout)
    except OSError:
        made.close()
        raise
    return made


class RedisAddress:
    """What a ``redis:``, ``rediss:`` or ``unix:`` URL says, and the keys below its ``prefix``."""

    def __init__(self, url: str) -> None:
        self.shown = redacted(url)
        try:
            query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
            self.prefix = query.pop("prefix", "mw")
            maxlen = query.pop("maxlen", "20000")
            rest = f"{url.partition('?')[0]}?{urlencode(query)}"
            options: dict[str, Any] = parse_url(rest)  # type: ignore[no-untyped-call]
        except ValueError:
            # Its text may hold a part of the password, where that has a character that ends it early.
            raise ValueError(
                f"the transport URL {self.shown} cannot be read: give redis://user:password@host:6379/0, "
                "with special characters of the password percent-encoded"
            ) from None
        if not (maxlen.isascii() and maxlen.isdecimal() and 100 <= int(maxlen) <= 10**8):
            raise ValueError(f"maxlen={maxlen!r} in the Redis URL: give the number of reports to keep, at least 100")
        if not self.prefix or any(character in self.prefix for character in " *?[]\\\0"):
            raise ValueError(f"prefix={self.prefix!r} in the Redis URL: give a plain word, e.g. mw")
        self.maxlen = int(maxlen)
        self._class = options.pop("connection_class", Connection)
        self._options = {"socket_connect_timeout": CONNECT_S, "socket_timeout": ANSWER_S, **options}
        self._options |= {"protocol": 2, "decode_responses": False, "retry": Retry(NoBackoff(), 0)}
        for name in ("max_connections", "timeout", "health_check_interval"):
            self._options.pop(name, None)
        self.reports = f"{self.prefix}:up"
        self.commands_to_all = f"{self.prefix}:cmd:all"
        self.hub = f"{self.prefix}:hub"

    def commands_to(self, process_key: str) -> str:
        """The stream of the commands to one process."""
        return self.commands_to_all if process_key == EVERYONE else f"{self.prefix}:cmd:{address(process_key)}"

    def left_by(self, process_key: str) -> str:
        """Where a process keeps its last record."""
        return f"{self.prefix}:flight:{address(process_key)}"

    def connection(self) -> Any:
        """One connection for a native thread, not yet connected."""
        kind = self._class
        if gevent_compat.is_patched():
            # TLS stays gevent's, which works in a native thread too, only dearer.
            kind = {Connection: _NativeTcp, UnixDomainSocketConnection: _NativeUnix}.get(kind, kind)
        with self._no_odd_options():
            return kind(**self._options)

    def client(self) -> redis.Redis:
        """A client for the host's own threads, not yet connected."""
        pool = redis.ConnectionPool(connection_class=self._class, **self._options)
        with self._no_odd_options():
            pool.connection_class(**pool.connection_kwargs)
        return redis.Redis(connection_pool=pool)

    @contextlib.contextmanager
    def _no_odd_options(self) -> Iterator[None]:
        try:
            yield
        except TypeError as error:
            raise ValueError(f"the transport URL {self.shown} has an option unknown to Redis: {error}") from None

    @contextlib.contextmanager
    def errors_explained(self) -> Iterator[None]:
        """:class:`TransportUnavailable` in place of the library's errors."""
        try:
            yield
        except redis.AuthenticationError:
            text = "user or password are wrong"
        except redis.exceptions.NoPermissionError as error:
            text = f"{error}: agents need {AGENT_ACL.format(prefix=self.prefix)}; Redis 6.2: see docs/security.md"
        except (redis.RedisError, OSError) as error:
            text = f"{type(error).__name__}: {error}"
        else:
            return
        password = str(self._options.get("password") or "")
        if password:
            text = text.replace(password, "***")
        raise TransportUnavailable(f"Redis at {self.shown}: {text[:300]}")
