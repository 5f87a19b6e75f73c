"""The steps of memwatch's timetable: each calls services, one at a time, and may be killed at any moment.

Celery's tasks run them, or ``manage.py memwatch_work``.
"""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.db import DatabaseError

from memwatch.agent import own
from memwatch.conf import get_settings
from memwatch.models import connection
from memwatch.services import alerts, commands, locking, notifications, releases, retention
from memwatch.services.anomalies import finding, forecasts
from memwatch.services.ingest import processes, reader
from memwatch.services.leaks import judging
from memwatch.services.recordings import heap_analyses, progress, pushing, triggers
from memwatch.services.recycling import checking as recycling

log = logging.getLogger("memwatch")

INGEST_AT_ONCE = 5_000
"""Reports one run takes at most; a longer backlog waits for the next."""

_INGEST_TTL_S = 30.0
"""A worker killed in the middle holds up the others so long; one that takes longer gets company, which is harmless."""
_JUDGING_TTL_S = 300.0
_SENDING_TTL_S = 90.0 + pushing.MAKING_S
"""And twice the time limit of a channel: a round of messages, then one of profiles."""
_PRUNE_TTL_S = 1800.0
_ANALYSIS_TTL_S = heap_analyses.IN_WORKER_S + 30

_leaving = mmap.mmap(-1, 1)
"""Set when the program is asked to stop: shared with the children of Celery's pool, which get no signal."""


def leave(leaving: bool = True) -> None:
    """Do not delay the program's end on a long backlog: the current ingest stores what it has read and ends."""
    _leaving[0] = leaving


def is_leaving() -> bool:
    """Whether this program, or the one that it was forked from, was asked to stop."""
    return bool(_leaving[0])


def warm_up() -> None:
    """Have Django keep what it would keep at the first query of each column, before a pool forks.

    The children then share it. Otherwise each would grow by one object a column for minutes, as if it leaked.
    """
    for model in apps.get_app_config("memwatch").get_models():
        for field in model._meta.concrete_fields:
            field.cached_col  # noqa: B018 - kept when it is read


def take_snapshots() -> None:
    """Store what has arrived, then ask the processes that have not reported within their interval.

    In this order no process is asked whose report only waits to be stored; the answers come with the next ingest.
    """
    ingest_reports()
    _alone("take_snapshots", _INGEST_TTL_S, commands.nudge)


def ingest_reports() -> None:
    """Store what has arrived, and finish the recordings that are complete with it; cheap when that is nothing."""
    _alone("ingest_reports", _INGEST_TTL_S, reader.ingest_reports, limit=INGEST_AT_ONCE, leaving=is_leaving)
    _alone("keep_up_recordings", _INGEST_TTL_S, _keep_up_recordings)


def _keep_up_recordings() -> None:
    """A look that has ended decides at once, not with the next turn of ``detect_leaks``."""
    progress.keep_up()
    if judging.is_awaited():
        detect_leaks()


def detect_leaks() -> None:
    """Judge the series; open, update, resolve and reopen leaks."""
    _alone(judging.LEASE, _JUDGING_TTL_S, judging.detect)


def check_alerts() -> None:
    """Raise and clear alerts, whose notifications go into the outbox; then compare new releases for the next turn."""
    _alone("check_alerts", _JUDGING_TTL_S, alerts.check)
    _alone("fire_triggers", _JUDGING_TTL_S, triggers.fire)
    _alone("compare_releases", _JUDGING_TTL_S, releases.check)  # last: should it fail, alerts are raised


def analyse_heap_dumps() -> None:
    """Analyse a heap dump that has arrived, in a process of its own, which outlives the step; cheap without one."""
    _alone("analyse_heap_dumps", _ANALYSIS_TTL_S, heap_analyses.analyse_next)


def find_anomalies() -> None:
    """Look for what is unlike its siblings or its own week, then forecast when memory is exhausted.

    One that fails does not keep the others from running.
    """
    with ExitStack() as last_first:
        last_first.callback(_alone, "forecast_exhaustion", _JUDGING_TTL_S, forecasts.refresh)
        last_first.callback(_alone, "find_unusual_hours", _JUDGING_TTL_S, finding.find_in_hours)
        last_first.callback(_alone, "find_anomalies", _JUDGING_TTL_S, finding.find_among_siblings)


def recycle_workers() -> None:
    """Recycle workers as the policies say, one of a service at a time; cheap while all are off."""
    _alone("recycle_workers", _JUDGING_TTL_S, recycling.check)


def send_notifications() -> None:
    """Deliver what waits in the outbox; cheap when nothing does."""
    _alone("send_notifications", _SENDING_TTL_S + 2 * get_settings().channel_timeout, notifications.send)


def end_stale_processes() -> None:
    """End the processes whose lease ran out, and give up on commands that were not answered."""
    _alone("end_stale_processes", _INGEST_TTL_S, processes.end_stale)
    _alone("expire_commands", _INGEST_TTL_S, commands.expire)


def prune() -> None:
    """Roll up and remove what is older than its retention."""
    _alone("prune", _PRUNE_TTL_S, retention.prune)


STEPS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {
        step.__name__: step
        for step in (
            take_snapshots,
            ingest_reports,
            detect_leaks,
            check_alerts,
            find_anomalies,
            recycle_workers,
            analyse_heap_dumps,
            send_notifications,
            end_stale_processes,
            prune,
        )
    }
)
"""By the name of its lease, which is that of the timetable's entry without ``memwatch.``."""


def _alone(name: str, ttl_s: float, service: Callable[..., Any], **arguments: Any) -> None:
    """Run the service unless another program does. A failure is logged in one line and raised."""
    own.declare()
    if not django_settings.USE_TZ:
        log.error("memwatch: %s does nothing: %s", name, connection.WITHOUT_ZONES)
        return
    try:
        with locking.single_flight(name, ttl_s) as ours:
            if ours:
                service(**arguments)
    except Exception as error:
        obstacle = connection.obstacle() if isinstance(error, DatabaseError) else None
        if obstacle is not None:
            log.error("memwatch: %s does nothing: %s", name, obstacle)
            return
        log.error("memwatch: %s failed: %s: %s", name, type(error).__name__, error)
        raise
