"""A histogram of OpenTelemetry with the customer's number among its attributes.

Reported as vectorize-io/hindsight#850: a time series for each customer, kept while the process lives.

Holder: ``_attributes_aggregation``, a dict of the histogram's view in ``opentelemetry.sdk.metrics``.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="time series of OpenTelemetry by customer",
    leaks="objects",
    culprit=("opentelemetry.*", "*Aggregation", "*._attributes_aggregation", "*Reservoir*", "*ExemplarBucket"),
    holder=("*_attributes_aggregation*",),
    requires=("opentelemetry-sdk==1.29.0",),
    source="https://github.com/vectorize-io/hindsight/issues/850",
)
_traffic = Traffic(209)
_seconds: Any = None
_reader: Any = None


def setup() -> None:
    global _seconds, _reader
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    _reader = InMemoryMetricReader()
    _seconds = MeterProvider(metric_readers=[_reader]).get_meter("shop").create_histogram("seconds")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        _seconds.record(i % 7 / 10, {"operation": "recall", "customer": f"user-{i // 40 * 40}"})
    if i % 4000 == 0:
        assert _reader.get_metrics_data()
