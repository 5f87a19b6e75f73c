"""The webhook channel: a POST of the message as JSON, signed, to an address of the site's choosing.

``Memwatch-Signature`` is ``v1=`` and the hexadecimal HMAC-SHA256, keyed with ``WEBHOOK_SECRET``, of the
``Memwatch-Timestamp`` header, a dot, and the body. A receiver checks it with :func:`verify`, or as that does.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import urlsplit

SIGNATURE, TIMESTAMP, DELIVERY = "Memwatch-Signature", "Memwatch-Timestamp", "Memwatch-Delivery"
TOLERANCE_S = 300.0
"""A signature older than this may be one that somebody recorded and plays again."""


class DeliveryError(Exception):
    """It did not arrive; the text says why, without secrets."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the message to a place that is not configured."""

    def redirect_request(  # noqa: PLR0917 - the library's signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``Memwatch-Signature``."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> bool:
    """Whether the request came from who knows the secret, not longer than five minutes ago."""
    timestamp, given = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not (timestamp.isascii() and timestamp.isdecimal()):
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_S:
        return False
    return hmac.compare_digest(given.encode(), sign(secret, timestamp, body).encode())


def post(
    url: str, message: Mapping[str, Any], *, secret: str, timeout_s: float, clock: Callable[[], float] = time.time
) -> None:
    """Send the message, signed, as :func:`deliver` does."""
    body = json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
    timestamp = str(int(clock()))
    request = urllib.request.Request(  # noqa: S310 - the settings let http and https pass, no other scheme
        url,
        data=body,
        method="POST",
        headers={
            "Content-Type": "application/json",
            "User-Agent": "memwatch",
            TIMESTAMP: timestamp,
            SIGNATURE: sign(secret, timestamp, body),
            DELIVERY: str(message["id"]),
        },
    )
    deliver(request, timeout_s=timeout_s)


def deliver(request: urllib.request.Request, *, timeout_s: float) -> None:
    """Send it once; :class:`DeliveryError` unless the answer is a 2xx. Redirects are not followed."""
    url = request.full_url
    try:
        with _opener.open(request, timeout=timeout_s):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        more = ": redirects are not followed, give the final address" if 300 <= error.code < 400 else ""
        raise DeliveryError(f"{shown(url)} answered {error.code}{more}") from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise DeliveryError(f"{shown(url)} cannot be reached: {type(reason).__name__}: {reason}") from None


def shown(url: str) -> str:
    """Its host, fit for pages and logs: path and query often hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def name_of(url: str) -> str:
    """Tells two webhooks of one host apart without giving away what their paths hold."""
    return f"{shown(url)} #{hashlib.sha256(url.encode()).hexdigest()[:8]}"
