"""A data loader of Strawberry that was made once, at the start, and serves all requests.

Reported as lablup/backend.ai#12020: its cache is meant for one request.

Holder: ``DefaultCache.cache_map`` of the loader, a dict of futures by key.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="futures in the cache of a data loader",
    leaks="objects",
    culprit=("*Future", "*.cache_map", "*DefaultCache", "*DataLoader"),
    holder=("*cache_map*",),
    requires=("strawberry-graphql==0.243.0", "graphql-core==3.2.5"),
    source="https://github.com/lablup/backend.ai/issues/12020",
)
_traffic = Traffic(309)
_loop: Any = None
_loader: Any = None


async def _users(numbers: list[int]) -> list[dict[str, object]]:
    return [{"id": number, "name": f"user {number}"} for number in numbers]


def setup() -> None:
    global _loop, _loader
    from strawberry.dataloader import DataLoader

    _loop = asyncio.new_event_loop()
    _loader = DataLoader(load_fn=_users, loop=_loop)


async def _request(number: int) -> None:
    found = await asyncio.gather(_loader.load(number), _loader.load(number // 1000))
    assert found[0]["id"] == number


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _loop.run_until_complete(_request(i))
