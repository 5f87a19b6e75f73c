"""Celery beat that survives a clock set back: ``CELERY_BEAT_SCHEDULER = "memwatch.beat:SteadyScheduler"``."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from celery.beat import PersistentScheduler

log = logging.getLogger("memwatch")

SET_BACK = timedelta(seconds=30)
"""A clock that lost more than this between two ticks, which come every few seconds, was set."""


class SteadyScheduler(PersistentScheduler):
    """Celery's own scheduler, which waits after the clock was set back until it has caught up: for an hour, say.

    This one notices and begins its intervals anew. A clock set forward makes everything due once, as with Celery's own.
    """

    _ticked_at: Any = None

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Run what is due; seconds until the next."""
        now = self.app.now()
        if self._ticked_at is not None and now < self._ticked_at - SET_BACK:
            log.warning("memwatch: the clock was set back by %s: the timetable begins anew", self._ticked_at - now)
            for entry in self.schedule.values():
                entry.last_run_at = min(entry.last_run_at or now, now)
            self._heap = None
        self._ticked_at = now
        return super().tick(*args, **kwargs)
