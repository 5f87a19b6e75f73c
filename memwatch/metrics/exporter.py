"""The fleet's metrics over HTTP, read from the database in a thread: alone in a process, or beside the timetable."""

from __future__ import annotations

from django.db import close_old_connections, connections
from prometheus_client.core import Metric

from memwatch.conf import get_settings
from memwatch.metrics.background_refresh import Refresher
from memwatch.metrics.collector import FleetCollector
from memwatch.metrics.server import MetricsServer, required_token

INTERVAL_S = 5.0
"""Between two readings of the database."""


class Exporter:
    """Serves from its making on."""

    def __init__(
        self, address: str, port: int, *, interval_s: float = INTERVAL_S, max_age_s: float | None = None
    ) -> None:
        """Raises :class:`memwatch.metrics.server.ListenError` where it cannot listen, or may not without a token."""
        self._refresher = Refresher(_Reading(), interval_s=interval_s, max_age_s=max_age_s)
        token = required_token(address, get_settings().metrics_token)
        self._server = MetricsServer(self._refresher.page, address=address, port=port, token=token)
        self._address = f"[{address}]" if ":" in address else address or "0.0.0.0"  # noqa: S104
        self._refresher.start()

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"http://{self._address}:{self._server.port}/metrics"

    def stop(self) -> None:
        """Serve no more."""
        self._refresher.stop()
        self._server.stop()


class _Reading:
    """One reading of the fleet, on a database connection that is given up when it broke."""

    def __init__(self) -> None:
        self._collector = FleetCollector(max_age_s=0)

    def __call__(self) -> list[Metric]:
        close_old_connections()
        metrics = self._collector.metrics()
        if self._collector.failing:
            connections.close_all()
        return metrics
