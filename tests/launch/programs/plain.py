"""A WSGI and an ASGI application without a framework."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def wsgi(_environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"plain"


async def asgi(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"plain"})
