"""No leak: calls with a timeout of minutes that are answered at once, so that their timers are cancelled.

Reported as ArchiveTeam/wpull#166: the loop keeps a cancelled timer until there are too many of them.

Holder: ``BaseEventLoop._scheduled``, a heap that is cleaned when more than half of 100 or more are cancelled.
"""

import asyncio

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="cancelled timers of an asyncio loop",
    source="https://github.com/ArchiveTeam/wpull/issues/166",
)
_traffic = Traffic(427)
_loop: asyncio.AbstractEventLoop
OTHERS = 300


class Call:
    """To another service."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.timed_out = False

    def time_out(self) -> None:
        """Too late."""
        self.timed_out = True


def setup() -> None:
    global _loop
    _loop = asyncio.new_event_loop()
    for number in range(OTHERS):
        _loop.call_later(86_400, Call(number).time_out)


async def _request(number: int) -> None:
    call = Call(number)
    timer = _loop.call_later(600, call.time_out)
    await asyncio.sleep(0)
    timer.cancel()
    assert not call.timed_out


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _loop.run_until_complete(_request(i))
