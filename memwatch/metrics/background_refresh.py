"""The exporter's page, made again in the background so that a scrape only hands out bytes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from prometheus_client.core import Metric

from memwatch.exposition import down
from memwatch.metrics.rendered_page import Page

logger = logging.getLogger(__name__)


class Refresher:
    """Calls ``read`` every ``interval_s`` in a thread of its own and keeps the page rendered from what it gives.

    A reading that hangs leaves the last page in place for ``max_age_s``; then scrapes get ``memwatch_up 0``.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[Metric]],
        *,
        interval_s: float,
        max_age_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._interval_s, self._clock = read, interval_s, clock
        self._max_age_s = max(3 * interval_s, 15.0) if max_age_s is None else max_age_s
        self._page, self._made_at = Page(down()), clock()
        self._down = Page(down())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memwatch-exporter-refresh", daemon=True)

    def start(self) -> None:
        """Begin; the first page is made at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current reading; no caller waits for it."""
        self._stopping.set()

    def page(self) -> Page:
        """The last page made, unless it is too old to be true."""
        if self._clock() - self._made_at > self._max_age_s:
            return self._down
        return self._page

    def refresh(self) -> None:
        """Read once, and render in the formats that the last page was asked for."""
        page = Page(self._read())
        page.body()
        for accept, compressed in self._page.asked_for():
            page.body(accept, compressed=compressed)
        self._page, self._made_at = page, self._clock()

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = self._clock()
            try:
                self.refresh()
            except Exception:  # the thread must outlive whatever a reading raises
                logger.exception("the metrics cannot be made")
                self._page = self._down
            spent = self._clock() - started
            self._stopping.wait(max(self._interval_s - spent, 0.1))
