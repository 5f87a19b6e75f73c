"""Celery beat that survives a clock set back: ``CELERY_BEAT_SCHEDULER = "memwatch.beat:SteadyScheduler"``."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from celery.beat import PersistentScheduler

log = logging.getLogger("memwatch")

SET_BACK = timedelta(seconds=30)
"""A clock that lost more than this between two ticks, which come every few seconds, was set."""


class SteadyScheduler(PersistentScheduler):
    """Celery's own scheduler, which waits after the clock was set back until it has caught up: for an hour, say.

    This one notices and restarts its intervals, also where it was set back while no beat ran: the file of the
    schedule tells when each task was sent last. A clock set forward makes everything due once, as with Celery's own.
    """

    _ticked_at: Any = None

    def setup_schedule(self) -> None:
        """Read the file."""
        super().setup_schedule()
        now = self.app.now()
        sent = [entry.last_run_at for entry in self.schedule.values() if entry.last_run_at is not None]
        if sent and max(sent) > now + SET_BACK:
            self._begin_anew(now, max(sent) - now)

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Run what is due; seconds until the next."""
        now = self.app.now()
        if self._ticked_at is not None and now < self._ticked_at - SET_BACK:
            self._begin_anew(now, self._ticked_at - now)
        self._ticked_at = now
        return super().tick(*args, **kwargs)

    def _begin_anew(self, now: datetime, back: timedelta) -> None:
        log.warning("memwatch: the clock was set back by %s: the schedule starts again", back)
        for entry in self.schedule.values():
            entry.last_run_at = min(entry.last_run_at or now, now)
        self._heap = None
