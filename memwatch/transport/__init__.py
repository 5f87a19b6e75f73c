"""How reports reach the server and commands the agents. The URL's scheme chooses: ``local:`` or ``redis:``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from memwatch.transport.protocols import (
    EVERYONE,
    Delivery,
    Hub,
    HubState,
    Incoming,
    Peek,
    TransportUnavailable,
    Uplink,
    redacted,
)

__all__ = [
    "EVERYONE",
    "Delivery",
    "Hub",
    "HubState",
    "Incoming",
    "Peek",
    "TransportUnavailable",
    "Uplink",
    "open_hub",
    "open_peek",
    "open_uplink",
    "redacted",
]

_REDIS = ("redis", "rediss", "unix")


def open_uplink(url: str, process_key: str) -> Uplink:
    """The agent's end. Nothing is connected before its first use.

    Raises :class:`ValueError` for a URL that is wrong, :class:`TransportUnavailable` without its client library.
    """
    if _scheme(url) in _REDIS:
        with _client_library_needed():
            from memwatch.transport.redis.uplink import RedisUplink  # noqa: PLC0415
        return RedisUplink(url, process_key)
    from memwatch.transport.local import LocalUplink  # noqa: PLC0415

    return LocalUplink(url, process_key)


def open_hub(url: str) -> Hub:
    """The server's end; raises as :func:`open_uplink`."""
    if _scheme(url) in _REDIS:
        with _client_library_needed():
            from memwatch.transport.redis.hub import RedisHub  # noqa: PLC0415
        return RedisHub(url)
    from memwatch.transport.local import LocalHub  # noqa: PLC0415

    return LocalHub(url)


def open_peek(url: str) -> Peek:
    """A look at the reports that leaves them to the server's end; raises as :func:`open_uplink`."""
    from memwatch.transport.peek import LocalPeek, RedisPeek  # noqa: PLC0415

    if _scheme(url) not in _REDIS:
        return LocalPeek(url)
    with _client_library_needed():
        return RedisPeek(url)


@contextlib.contextmanager
def _client_library_needed() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise TransportUnavailable(
            "the redis: transport needs the redis client library: pip install 'memwatch[redis]'"
        ) from None


def _scheme(url: str) -> str:
    scheme = url.split(":", 1)[0]
    if scheme not in ("local", *_REDIS):
        raise ValueError(f"transport {redacted(url)!r}: give local:///folder or redis://host:6379/0")
    return scheme
