"""A worker that waits for messages beside other things, and cancels the wait when something else comes first.

Reported as zeromq/pyzmq#1888 of 25.1.0.

Holder: ``_socket._recv_futures``, a deque of the asyncio socket.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="cancelled waits of an asyncio socket of ZeroMQ",
    leaks="objects",
    culprit=("zmq.*", "*_FutureEvent", "*Future", "*._recv_futures", "*deque"),
    holder=("*_recv_futures*",),
    leaking_release="pyzmq==25.1.0",
    fixed_release="pyzmq==25.1.1",
    source="https://github.com/zeromq/pyzmq/issues/1888",
)
_traffic = Traffic(213)
_loop: Any = None
_socket: Any = None


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()
    _loop.run_until_complete(_open())


async def _open() -> None:
    global _socket
    import zmq
    import zmq.asyncio

    _socket = zmq.asyncio.Context().socket(zmq.PULL)
    _socket.bind("inproc://jobs")


async def _wait_in_vain() -> None:
    import zmq

    waiting = _socket.poll(flags=zmq.POLLIN)
    waiting.cancel()
    await asyncio.sleep(0)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _loop.run_until_complete(_wait_in_vain())
