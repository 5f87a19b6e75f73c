"""The fleet's metrics over HTTP, read from the database in a thread: alone in a process, or beside the timetable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import close_old_connections, connections
from prometheus_client.core import Metric

from memwatch.conf import get_settings
from memwatch.metrics.background_refresh import Refresher
from memwatch.metrics.collector import FleetCollector
from memwatch.metrics.server import MetricsServer, required_token

if TYPE_CHECKING:
    from memwatch.metrics.otlp.sender import Sender

INTERVAL_S = 5.0
"""Between two readings of the database."""


class Exporter:
    """Serves from its making on."""

    def __init__(
        self, address: str, port: int, *, interval_s: float = INTERVAL_S, max_age_s: float | None = None,
        sender: Sender | None = None,
    ) -> None:  # fmt: skip
        """``sender``: what sends each reading over OTLP as well.

        Raises :class:`memwatch.metrics.server.ListenError` where it cannot listen, or may not without a token.
        """
        self._sender = sender
        self._refresher = Refresher(_Reading(sender), interval_s=interval_s, max_age_s=max_age_s)
        token = required_token(address, get_settings().metrics_token)
        self._server = MetricsServer(self._refresher.page, address=address, port=port, token=token)
        self._address = f"[{address}]" if ":" in address else address or "0.0.0.0"  # noqa: S104
        self._refresher.start()
        if sender is not None:
            sender.start()

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"http://{self._address}:{self._server.port}/metrics"

    def stop(self) -> None:
        """Serve no more."""
        self._refresher.stop()
        self._server.stop()
        if self._sender is not None:
            self._sender.stop()


class _Reading:
    """One reading of the fleet, on a database connection that is given up when it broke."""

    def __init__(self, sender: Sender | None) -> None:
        self._collector, self._sender = FleetCollector(max_age_s=0), sender

    def __call__(self) -> list[Metric]:
        close_old_connections()
        metrics = self._collector.metrics()
        if self._collector.failing:
            connections.close_all()
        if self._sender is None:
            return metrics
        self._sender.offer(metrics, self._collector.observation)
        return [*metrics, *self._sender.families()]
