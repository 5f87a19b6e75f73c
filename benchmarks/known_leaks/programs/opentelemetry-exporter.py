"""Readers of metrics that are shut down."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)

CALLS = 200


class Nowhere(MetricExporter):
    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis=10_000):
        return True

    def shutdown(self, timeout_millis=30_000, **kwargs):
        pass


def call():
    reader = PeriodicExportingMetricReader(Nowhere(), export_interval_millis=1_000_000)
    MeterProvider(metric_readers=[reader], shutdown_on_exit=False).shutdown()
