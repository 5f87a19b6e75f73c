"""A meter provider for each job, shut down at its end: a set of the class keeps its reader.

Reported as open-telemetry/opentelemetry-python#4220.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="meter providers that were shut down",
    leaks="objects",
    culprit=("opentelemetry.*",),
    leaking_release="opentelemetry-sdk==1.27.0",
    fixed_release="opentelemetry-sdk==1.28.0",
    source="https://github.com/open-telemetry/opentelemetry-python/issues/4220",
)
_traffic = Traffic(10)
_metrics: Any = None
_export: Any = None


def setup() -> None:
    global _metrics, _export
    from opentelemetry.sdk import metrics
    from opentelemetry.sdk.metrics import export

    _metrics, _export = metrics, export


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        reader = _export.InMemoryMetricReader()
        provider = _metrics.MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
        provider.get_meter("job").create_counter("rows").add(1)
        provider.shutdown()
