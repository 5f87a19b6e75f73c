"""No leak: a coroutine of Tornado in which another one fails: exception, frames and future are a cycle.

Reported as tornadoweb/tornado#3346.

Holder: nothing; garbage that waits for the collector, with the rows that the frames know.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="failed coroutines of Tornado",
    requires=("tornado==6.4.1",),
    source="https://github.com/tornadoweb/tornado/issues/3346",
)
_traffic = Traffic(235)
_loop: Any = None
_outer: Any = None


def setup() -> None:
    global _loop, _outer
    from tornado import gen

    @gen.coroutine  # type: ignore[untyped-decorator]
    def _inner(rows: list[dict[str, int]]) -> Any:
        yield gen.moment
        raise LookupError(len(rows))

    @gen.coroutine  # type: ignore[untyped-decorator]
    def _handle(i: int) -> Any:
        rows = [{"row": number, "of": i} for number in range(60)]
        try:
            yield _inner(rows)
        except LookupError as error:
            failure = error
            return failure.args[0]

    _loop, _outer = asyncio.new_event_loop(), _handle


async def _serve(i: int) -> None:
    assert await _outer(i) == 60


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _loop.run_until_complete(_serve(i))
