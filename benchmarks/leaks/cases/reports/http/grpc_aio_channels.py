"""An asyncio channel of gRPC for each job, closed at its end.

Reported as grpc/grpc#38327 and #36117 of 1.71: a registry for forks gains entries, and is only tidied in a fork.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="asyncio channels of gRPC, made and closed",
    leaks="native",
    leaking_release="grpcio==1.71.0",
    fixed_release="grpcio==1.74.0",
    source="https://github.com/grpc/grpc/issues/38327",
)
_traffic = Traffic(42)
_loop: Any = None
_aio: Any = None


def setup() -> None:
    global _loop, _aio
    _loop = asyncio.new_event_loop()
    from grpc import aio

    _aio = aio


async def _job() -> None:
    channel = _aio.insecure_channel("127.0.0.1:1")
    channel.get_state(try_to_connect=False)
    await channel.close()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        _loop.run_until_complete(_job())
