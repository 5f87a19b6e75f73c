"""Messages to channels whose consumers are gone, in Channels' layer in memory.

Reported as django/channels#933; a channel that nobody reads is never removed while messages to it do not expire.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="orphaned channels of InMemoryChannelLayer",
    leaks="objects",
    culprit=("*Queue", "deque", "dict", "*InMemoryChannelLayer*", "*Event"),
    requires=("channels==4.1.0", "django==5.1.4"),
    source="https://github.com/django/channels/issues/933",
)
_traffic = Traffic(23)
_loop: Any = None
_layer: Any = None


def setup() -> None:
    global _loop, _layer
    _loop = asyncio.new_event_loop()
    from channels.layers import InMemoryChannelLayer

    _layer = InMemoryChannelLayer(expiry=86_400)


async def _visit() -> None:
    channel = await _layer.new_channel()
    await _layer.send(channel, {"type": "order.paid", "number": 1})


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _loop.run_until_complete(_visit())
