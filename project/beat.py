"""Celery beat that shows that it goes on: ``CELERY_BEAT_SCHEDULER = "project.beat:TickingScheduler"``."""

from __future__ import annotations

import contextlib
from typing import Any

from django.conf import settings

from memwatch.beat import SteadyScheduler


class TickingScheduler(SteadyScheduler):
    """Touches the file ``beat-tick`` in ``MEMWATCH_VAR`` at each tick, every few seconds; health checks look at it."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Run what is due; seconds until the next."""
        wait_s = super().tick(*args, **kwargs)
        with contextlib.suppress(OSError):  # a full disk stops no task; the health check sees the old file
            (settings.VAR_DIR / "beat-tick").touch()
        return wait_s
