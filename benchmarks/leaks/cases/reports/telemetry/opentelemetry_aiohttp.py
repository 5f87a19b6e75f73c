"""A client session of aiohttp for each job, with OpenTelemetry's instrumentation: it makes a meter for each.

Reported as open-telemetry/opentelemetry-python-contrib#4991.
"""

import asyncio
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="meters of instrumented aiohttp sessions",
    leaks="objects",
    culprit=("opentelemetry.*", "list"),
    requires=("opentelemetry-instrumentation-aiohttp-client==0.65b0", "aiohttp==3.12.15"),
    source="https://github.com/open-telemetry/opentelemetry-python-contrib/issues/4991",
)
_traffic = Traffic(56)
_loop: Any = None
_aiohttp: Any = None


def setup() -> None:
    global _loop, _aiohttp
    _loop = asyncio.new_event_loop()
    import aiohttp
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor

    AioHttpClientInstrumentor().instrument()
    _aiohttp = aiohttp


async def _job() -> None:
    async with _aiohttp.ClientSession():
        pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        _loop.run_until_complete(_job())
