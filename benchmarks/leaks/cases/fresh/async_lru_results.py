"""No leak: results of an async function, cached by async-lru with their futures, up to 1,500.

Reported as aio-libs/async-lru#82: what is kept are futures, many of them, but no more than the bound.

Holder: ``_priced.cache``, an ``OrderedDict`` of async-lru's wrapper, which is full after some 20,000 steps.
"""

import asyncio
import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="futures in a bounded cache",
    requires=("async-lru==2.0.4",),
    source="https://github.com/aio-libs/async-lru/issues/82",
)
_traffic = Traffic(319)
_random = random.Random(319)
_loop: Any = None
_priced: Any = None


def setup() -> None:
    global _loop, _priced
    from async_lru import alru_cache

    _loop = asyncio.new_event_loop()

    @alru_cache(maxsize=1_500)  # type: ignore[untyped-decorator]
    async def priced(number: int) -> dict[str, object]:
        await asyncio.sleep(0)
        return {"number": number, "price": number * 3, "text": f"{number} things"}

    _priced = priced


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        number = _random.randrange(20_000)
        assert _loop.run_until_complete(_priced(number))["number"] == number
