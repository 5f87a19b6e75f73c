"""Addresses in the settings: whom alerts go to, and where the site is reached."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_CHANNELS = 'give a list of "mailto:ops@example.org", "https://example.org/hook", dotted paths or callables'


def channels(value: Any) -> tuple[Any, ...]:
    """The items of ``ALERT_CHANNELS``, a list or a comma-separated text; :class:`ValueError` says which is none."""
    if isinstance(value, str):
        value = [item.strip() for item in value.split(",") if item.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError(_CHANNELS)
    for number, item in enumerate(value, 1):
        if not callable(item) and not (isinstance(item, str) and _is_channel(item)):
            raise ValueError(f"number {number} is no channel: {_CHANNELS}")
    return tuple(value)


def is_webhook(item: Any) -> bool:
    """Whether this item of ``ALERT_CHANNELS`` is a URL."""
    return isinstance(item, str) and item.startswith(("http://", "https://"))


def site(value: Any) -> str:
    """The address of the site without a slash at its end; empty for none."""
    if value in (None, ""):
        return ""
    if isinstance(value, str) and _is_http_url(value) and not set("?#") & set(value):
        return value.rstrip("/")
    raise ValueError("give the address of the site, e.g. https://ops.example.org")


def profiles(value: Any) -> str:
    """The address of a server for profiles, perhaps with a user and a password; empty for none."""
    if value in (None, ""):
        return ""
    if isinstance(value, str) and _is_http_url(value) and not set("?#") & set(value):
        return value.rstrip("/")
    raise ValueError("give the address of a Pyroscope server, e.g. https://pyroscope.example.org")


def _is_channel(text: str) -> bool:
    scheme, colon, rest = text.partition(":")
    if not colon:
        return "." in text and all(part.isidentifier() for part in text.split("."))
    if scheme == "mailto":
        name, _at, host = rest.partition("@")
        return bool(name and host) and rest.count("@") == 1 and rest.isprintable() and not set(" ,;<>?") & set(rest)
    return _is_http_url(text)


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return known and text.isprintable() and " " not in text
