"""The SDK's own way: a provider, a reader and instruments for each process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
from opentelemetry.sdk.resources import Resource

from benchmarks.otlp.fleet import TYPES


class Reader(MetricReader):
    """Collects when asked, however busy the machine is."""

    data: MetricsData | None = None

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_more: object) -> None:
        self.data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **_more: object) -> None:
        """Nothing to end."""


def _one(_options: CallbackOptions) -> Iterable[Observation]:
    return [Observation(5)]


def _by_type(_options: CallbackOptions) -> Iterable[Observation]:
    return [
        Observation(1000 + number, {"memwatch.object_type": f"shop.models.Type{number}"}) for number in range(TYPES)
    ]


def providers(processes: int, points: int) -> list[Reader]:
    """Readers that give so many points each, of which one for each type."""
    callbacks: Sequence[Callable[[CallbackOptions], Iterable[Observation]]] = (_one,)
    readers = []
    for number in range(processes):
        reader = Reader()
        resource = Resource(
            {"service.name": "web", "service.instance.id": str(number), "process.pid": number, "host.name": "node"}
        )
        meter = MeterProvider([reader], resource, shutdown_on_exit=False).get_meter("peer")
        for metric in range(points - TYPES):
            meter.create_observable_gauge(f"peer.metric{metric}", callbacks, "By", "A figure of the process.")
        meter.create_observable_gauge("peer.object_count", [_by_type], "{object}", "Count by type.")
        readers.append(reader)
    return readers


def collected(readers: Sequence[Reader]) -> int:
    """Collect and encode all; how many points there were."""
    points = 0
    for reader in readers:
        reader.collect(timeout_millis=600_000)
        data = reader.data
        assert data is not None
        encode_metrics(data).SerializeToString()
        points += sum(
            len(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
    return points
