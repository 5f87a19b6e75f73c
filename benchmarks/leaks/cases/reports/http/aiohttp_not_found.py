"""Requests for paths that do not exist, to a server with a middleware: each adds an entry to a cache of handlers.

Reported as CVE-2024-52303, aio-libs/aiohttp GHSA-27mf-ghqm-j3j8, of aiohttp 3.10.6 to 3.10.10.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="handlers of unknown paths, with their errors",
    leaks="objects",
    culprit=("aiohttp.*", "functools.partial", "traceback", "frame"),
    leaking_release="aiohttp==3.10.10",
    fixed_release="aiohttp==3.10.11",
    source="https://github.com/aio-libs/aiohttp/security/advisories/GHSA-27mf-ghqm-j3j8",
)
_loop: Any = None
_reader: Any = None
_writer: Any = None


async def _serve() -> None:
    global _reader, _writer
    from aiohttp import web

    async def timing(request: web.Request, handler: Any) -> Any:
        return await handler(request)

    runner = web.AppRunner(web.Application(middlewares=[web.middleware(timing)]), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _reader, _writer = await asyncio.open_connection(*runner.addresses[0])


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()
    _loop.run_until_complete(_serve())


async def _get(path: str) -> None:
    _writer.write(b"GET %s HTTP/1.1\r\nHost: shop\r\n\r\n" % path.encode())
    head = await _reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await _reader.readexactly(length)


def step(i: int) -> None:
    if i % 50 == 0:
        _loop.run_until_complete(_get(f"/order/{i}"))
