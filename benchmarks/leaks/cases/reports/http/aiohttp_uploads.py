"""No leak: pictures posted to a server of aiohttp; a request is in a cycle with its error, and waits for the collector.

Reported as aio-libs/aiohttp#10548.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="refused uploads to aiohttp, in cycles",
    requires=("aiohttp==3.11.13",),
    source="https://github.com/aio-libs/aiohttp/issues/10548",
)
_loop: Any = None
_reader: Any = None
_writer: Any = None


async def _serve() -> None:
    global _reader, _writer
    from aiohttp import web

    async def upload(request: web.Request) -> web.Response:
        picture = await request.read()
        refused = web.HTTPUnsupportedMediaType(text=f"{len(picture)} bytes")
        refused.request = request
        raise refused

    app = web.Application()
    app.router.add_post("/picture", upload)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _reader, _writer = await asyncio.open_connection(*runner.addresses[0])


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()
    _loop.run_until_complete(_serve())


async def _post(picture: bytes) -> None:
    _writer.write(b"POST /picture HTTP/1.1\r\nHost: shop\r\nContent-Length: %d\r\n\r\n%s" % (len(picture), picture))
    head = await _reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await _reader.readexactly(length)


def step(i: int) -> None:
    if i % 50 == 0:
        _loop.run_until_complete(_post(b"x" * (2000 + i % 7000)))
