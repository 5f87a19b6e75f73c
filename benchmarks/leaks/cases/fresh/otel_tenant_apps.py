"""A FastAPI application for each tenant that was set up anew, and the instrumentation of OpenTelemetry for it.

Reported as open-telemetry/opentelemetry-python-contrib#3688 of 0.57b0.

Holder: ``_InstrumentedFastAPI._instrumented_fastapi_apps``, a set of the class.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="instrumented applications",
    leaks="objects",
    culprit=("fastapi.*", "starlette.*", "*FastAPI", "*._instrumented_fastapi_apps", "*Route"),
    holder=("*_instrumented_fastapi_apps*",),
    leaking_release="opentelemetry-instrumentation-fastapi==0.57b0",
    fixed_release="opentelemetry-instrumentation-fastapi==0.58b0",
    requires=("fastapi==0.115.6",),
    source="https://github.com/open-telemetry/opentelemetry-python-contrib/pull/3688",
)
_traffic = Traffic(306)
_FastAPI: Any = None
_instrument: Any = None


def setup() -> None:
    global _FastAPI, _instrument
    from fastapi import FastAPI
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    _FastAPI = FastAPI
    _instrument = FastAPIInstrumentor.instrument_app


def _greeting() -> str:
    return "hello"


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 400 == 0:
        app = _FastAPI(title=f"tenant {i}", openapi_url=None)
        app.get("/")(_greeting)
        _instrument(app)
