"""The fleet as a prometheus_client collector that never fails a scrape."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from memwatch.conf import get_settings
from memwatch.exposition import down, families
from memwatch.metrics.fleet import observe
from memwatch.observation import Observation

logger = logging.getLogger(__name__)

MAX_AGE_S = 1.0
"""Scrapes within this time share one reading."""
WAIT_S = 3.0
"""How long a scrape waits for the reading of another."""


class FleetCollector(Collector):
    """Collects the fleet's figures; ``memwatch_up 0`` alone where they cannot be read."""

    def __init__(
        self,
        read: Callable[[], Observation] = observe,
        *,
        max_age_s: float = MAX_AGE_S,
        wait_s: float = WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._max_age_s, self._wait_s, self._clock = read, max_age_s, wait_s, clock
        self._lock = threading.Lock()
        self._metrics: list[Metric] = []
        self._read_at: float | None = None
        self.failing = False
        self.observation: Observation | None = None
        """What the last families were made of; ``None`` while the figures cannot be read."""

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self.metrics()

    def metrics(self) -> list[Metric]:
        """The families of now, at most ``max_age_s`` old.

        While a reading hangs, because the database does, other scrapes get ``memwatch_up 0`` instead of hanging too.
        """
        if not self._lock.acquire(timeout=self._wait_s):
            return down()
        try:
            now = self._clock()
            if self._read_at is None or not 0 <= now - self._read_at < self._max_age_s:
                self._metrics, self._read_at = self._fresh(), now
            return self._metrics
        finally:
            self._lock.release()

    def _fresh(self) -> list[Metric]:
        try:
            settings = get_settings()
            seen = self._read()
            made = families(seen, namespace=settings.metrics_namespace, type_limit=settings.metrics_type_limit)
        except Exception as error:  # noqa: BLE001 - whatever fails, the scraper gets an answer that says so
            if not self.failing:
                logger.warning("the fleet's figures cannot be read, memwatch_up is 0: %s", _line(error))
            self.failing, self.observation = True, None
            return down()
        if self.failing:
            logger.info("the fleet's figures can be read again")
        self.failing, self.observation = False, seen
        return made


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]
