"""No leak: an HTTP client for each job, each with a context of TLS of its own and all root certificates.

Reported as encode/httpx#978.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="contexts of TLS of httpx clients",
    requires=("httpx==0.27.2",),
    source="https://github.com/encode/httpx/issues/978",
)
_traffic = Traffic(48)
_loop: Any = None
_httpx: Any = None


def setup() -> None:
    global _loop, _httpx
    _loop = asyncio.new_event_loop()
    import httpx

    _httpx = httpx


async def _job() -> None:
    async with _httpx.AsyncClient() as one, _httpx.AsyncClient() as other:
        assert one is not other


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 2000 == 0:
        _loop.run_until_complete(_job())
