"""beat's timetable, for a site's ``CELERY_BEAT_SCHEDULE``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memwatch.conf import SettingError, Settings, get_settings, read_settings

QUICK_INTERVAL_S = 5.0
"""Below this interval between snapshots, reports are fetched every 2 seconds."""


def beat_schedule(given: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Every task with its interval in seconds, on memwatch's own queue; one not begun by its next turn expires.

    In a settings module give it the ``MEMWATCH`` dict, since Django's settings are not there yet; elsewhere nothing.
    Where that dict is wrong, this is the timetable of the defaults: the system check and the start of each program say
    what is wrong, and a traceback out of the settings module would keep that check from being run.
    Judging keeps pace with short intervals: two snapshots bring news, but it comes every 5 seconds at most.
    """
    settings = get_settings() if given is None else _settings(given)
    interval = settings.snapshot_interval
    judging = min(60.0, max(5.0, 2 * interval))
    every = {
        "take_snapshots": max(1.0, interval),
        "ingest_reports": 2.0 if interval < QUICK_INTERVAL_S else 5.0,
        "detect_leaks": judging,
        "check_alerts": judging,
        "find_anomalies": 600.0,
        "recycle_workers": judging,
        "analyse_heap_dumps": 15.0,
        "send_notifications": min(15.0, judging),
        "end_stale_processes": 60.0,
        "prune": 3600.0,
    }
    return {
        f"memwatch.{name}": {
            "task": f"memwatch.{name}",
            "schedule": seconds,
            "options": {"queue": settings.task_queue, "expires": seconds},
        }
        for name, seconds in every.items()
    }


def _settings(given: Mapping[str, Any]) -> Settings:
    try:
        return read_settings(given)
    except SettingError:
        return Settings()
