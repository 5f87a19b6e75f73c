"""An asyncio client of gRPC that asks for a stream again and again while the server is away.

Reported as grpc/grpc#38499.

Holder: gRPC's memory of calls that failed.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="streams of gRPC that no server answered",
    leaks="native",
    requires=("grpcio==1.70.0",),
    source="https://github.com/grpc/grpc/issues/38499",
)
_traffic = Traffic(220)
_loop: Any = None
_count: Any = None
_error: Any = None


def setup() -> None:
    global _loop, _count, _error
    _loop = asyncio.new_event_loop()
    import grpc
    from grpc import aio

    async def _open() -> Any:
        return aio.insecure_channel("127.0.0.1:1").unary_stream("/shop.Counter/Count")

    _count, _error = _loop.run_until_complete(_open()), grpc.RpcError


async def _job() -> None:
    stream = _count(b"")
    try:
        async for _answer in stream:
            pass
    except _error:
        stream.cancel()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _loop.run_until_complete(_job())
