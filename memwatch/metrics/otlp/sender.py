"""The thread that sends: every interval the latest reading, then the events that have not arrived yet.

Only the latest reading is kept, so a collector that is away for an hour costs no memory, and ``/metrics`` waits for
nothing. Points that did not arrive are counted and given up: the next ones say the same and more. Events wait in the
database.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import close_old_connections, connections
from django.utils import timezone
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from prometheus_client.core import Metric

from memwatch.exposition import otlp
from memwatch.metrics.otlp.config import Config
from memwatch.metrics.otlp.deltas import Deltas
from memwatch.metrics.otlp.events import send_events
from memwatch.metrics.otlp.outlet import Outlet, logs_outlet, metrics_outlet
from memwatch.metrics.otlp.points import Reading, batches, nanoseconds
from memwatch.observation import Observation
from memwatch.queries.deployment.counters import counting_since

logger = logging.getLogger(__name__)


class Sender:
    """Sends what :meth:`offer` was given last, from a thread: a fork of the process sends nothing."""

    def __init__(
        self,
        *,
        metrics: Outlet[MetricsData] | None,
        logs: Outlet[list[ReadableLogRecord]] | None,
        interval_s: float,
        prefix: str,
        delta: bool = False,
        now: Callable[[], datetime] = timezone.now,
    ) -> None:
        self._metrics, self._logs = metrics, logs
        self._interval_s, self._prefix, self._now = interval_s, prefix, now
        self._deltas = Deltas(nanoseconds(now())) if delta else None
        self._latest: Reading | None = None
        self._since: datetime | None = None
        self._events_failing = False
        self._offered, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="memwatch-otlp", daemon=True)

    @classmethod
    def of(cls, config: Config, *, namespace: str) -> Sender:
        """As the standard variables say. Raises what the SDK raises for a variable that it cannot use."""
        return cls(
            metrics=metrics_outlet(config.metrics) if config.metrics is not None else None,
            logs=logs_outlet(config.logs) if config.logs is not None else None,
            interval_s=config.interval_s,
            prefix=f"{namespace}_memory_",
            delta=config.delta,
        )

    def start(self) -> None:
        """Begin; what is offered first is sent at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, also amid an attempt."""
        self._stopping.set()
        self._offered.set()
        for outlet in (self._metrics, self._logs):
            if outlet is not None:
                outlet.close()
        self._thread.join(timeout=2)

    def offer(self, families: Sequence[Metric], observation: Observation | None) -> None:
        """Take note of a reading, which was made just now. Never waits."""
        at = observation.at if observation is not None and observation.at is not None else self._now()
        since, prefix = self._since, self._prefix
        self._latest = Reading(families=families, observation=observation, at=at, since=since, prefix=prefix)
        self._offered.set()

    def families(self) -> list[Metric]:
        """How it goes, for the exposition."""
        return otlp(outlet.state() for outlet in (self._metrics, self._logs) if outlet is not None)

    def send(self) -> None:
        """Send once. Raises what the database raises."""
        reading, self._latest = self._latest, None
        if reading is not None and self._metrics is not None:
            self._send_metrics(reading, self._metrics)
        close_old_connections()
        if self._since is None:
            self._since = counting_since()
        if self._logs is not None:
            send_events(self._logs, self._now())

    def _send_metrics(self, reading: Reading, outlet: Outlet[MetricsData]) -> None:
        """After the first request that fails, the others of this reading are not tried: each may take its time-out."""
        failed = False
        for batch in batches(reading, self._deltas):
            failed = failed or not outlet.send(batch.data, batch.points)
            if failed:
                outlet.drop(batch.points)
            if self._deltas is not None:
                self._deltas.discard() if failed else self._deltas.commit()
        if self._deltas is not None and not failed and reading.observation is not None:
            self._deltas.finish(nanoseconds(reading.at))

    def _run(self) -> None:
        self._offered.wait()
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self.send()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever the database raises
                if not self._events_failing:
                    logger.warning("events cannot be read for OTLP: %s: %s", type(error).__name__, str(error)[:300])
                self._events_failing = True
                connections.close_all()
            else:
                self._events_failing = False
            self._stopping.wait(max(self._interval_s - (time.monotonic() - started), 0.1))
