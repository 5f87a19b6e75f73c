"""A tracer is asked for in each request, and no meter provider is set: each tracer's counters are kept in a list.

Reported as open-telemetry/opentelemetry-python#5016 of 1.40.0, whose tracers count what they do.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="get_tracer by request, without a meter provider",
    leaks="objects",
    culprit=("opentelemetry.*", "list"),
    leaking_release="opentelemetry-sdk==1.40.0",
    fixed_release="opentelemetry-sdk==1.41.0",
    source="https://github.com/open-telemetry/opentelemetry-python/issues/5016",
)
_traffic = Traffic(9)
_provider: Any = None


def setup() -> None:
    global _provider
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    _provider = TracerProvider()
    trace.set_tracer_provider(_provider)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        with _provider.get_tracer("shop.orders").start_as_current_span("order"):
            pass
