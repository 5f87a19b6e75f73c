"""beat's tasks: each calls one service, one at a time over all workers, and may be killed at any moment."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable
from typing import Any

from celery import Task, shared_task
from celery.signals import celeryd_after_setup, worker_shutting_down
from django.apps import apps
from django.conf import settings as django_settings
from django.db import DatabaseError

from memwatch.agent import own
from memwatch.conf import get_settings
from memwatch.models import connection
from memwatch.schedule import beat_schedule
from memwatch.services import alerts, commands, locking, notifications, retention
from memwatch.services.ingest import processes, reader
from memwatch.services.leaks import judging
from memwatch.services.recordings import heap_analyses, progress, triggers
from memwatch.services.recycling import checking as recycling

log = logging.getLogger("memwatch")

INGEST_AT_ONCE = 5_000
"""Reports one run takes at most; a longer backlog waits for the next."""

_INGEST_TTL_S = 30.0
"""A worker killed in the middle holds up the others so long; one that takes longer gets company, which is harmless."""
_JUDGING_TTL_S = 300.0
_SENDING_TTL_S = 60.0
"""And the time limit of a channel."""
_PRUNE_TTL_S = 1800.0
_ANALYSIS_TTL_S = heap_analyses.IN_WORKER_S + 30

_DELIVERY_S = 30.0
"""A command that was not sent by then is of no use."""


class ExpiringTask(Task):  # type: ignore[type-arg]  # not one at runtime
    """Its messages expire whatever sends them: django-celery-beat drops the timetable's own ``expires``."""

    @property
    def expires(self) -> float:  # type: ignore[override]  # read when a message is sent
        """Seconds: by its next turn."""
        entry = beat_schedule().get(str(self.name))
        return float(entry["options"]["expires"]) if entry else _DELIVERY_S


_leaving = mmap.mmap(-1, 1)
"""Set when the worker is asked to stop: shared with its pool's children, which get no signal."""


@worker_shutting_down.connect
def _leave(**_kwargs: Any) -> None:
    """Do not delay worker shutdown on a long backlog: the current ingest stores what it has read and ends."""
    _leaving[0] = 1


@celeryd_after_setup.connect
def _declare(instance: Any, **_kwargs: Any) -> None:
    """A worker that serves memwatch's queue is one of memwatch's own, and so are the children of its pool."""
    if get_settings().task_queue in instance.app.amqp.queues.consume_from:
        own.declare()
        _warm_up()


def _warm_up() -> None:
    """Have Django keep what it would keep at the first query of each column, before the pool forks.

    The children then share it. Otherwise each would grow by one object a column for minutes, as if it leaked.
    """
    for model in apps.get_app_config("memwatch").get_models():
        for field in model._meta.concrete_fields:
            field.cached_col  # noqa: B018 - kept when it is read


@shared_task(name="memwatch.take_snapshots", base=ExpiringTask, ignore_result=True)
def take_snapshots() -> None:
    """Store what has arrived, then ask the processes that have not reported within their interval.

    In this order no process is asked whose report only waits to be stored; the answers come with the next ingest.
    """
    ingest_reports()
    _alone("take_snapshots", _INGEST_TTL_S, commands.nudge)


@shared_task(name="memwatch.ingest_reports", base=ExpiringTask, ignore_result=True)
def ingest_reports() -> None:
    """Store what has arrived, and finish the recordings that are complete with it; cheap when that is nothing."""
    _alone("ingest_reports", _INGEST_TTL_S, reader.ingest_reports, limit=INGEST_AT_ONCE, leaving=_is_leaving)
    _alone("keep_up_recordings", _INGEST_TTL_S, progress.keep_up)


@shared_task(name="memwatch.deliver_commands", base=ExpiringTask, ignore_result=True)
def deliver_commands(payloads: dict[str, str], wait_s: float = 0.0) -> None:
    """Send commands for a process that has no right to: ``HUB_TRANSPORT`` is ``worker`` there."""
    commands.deliver(payloads, wait_s=wait_s)


@shared_task(name="memwatch.detect_leaks", base=ExpiringTask, ignore_result=True)
def detect_leaks() -> None:
    """Judge the series; open, update, resolve and reopen leaks."""
    _alone("detect_leaks", _JUDGING_TTL_S, judging.detect)


@shared_task(name="memwatch.check_alerts", base=ExpiringTask, ignore_result=True)
def check_alerts() -> None:
    """Raise and clear alerts; notifications go into the outbox."""
    _alone("check_alerts", _JUDGING_TTL_S, alerts.check)
    _alone("fire_triggers", _JUDGING_TTL_S, triggers.fire)


@shared_task(name="memwatch.analyse_heap_dumps", base=ExpiringTask, ignore_result=True)
def analyse_heap_dumps() -> None:
    """Analyse a heap dump that has arrived, in a process of its own, which outlives the task; cheap without one."""
    _alone("analyse_heap_dumps", _ANALYSIS_TTL_S, heap_analyses.analyse_next)


@shared_task(name="memwatch.recycle_workers", base=ExpiringTask, ignore_result=True)
def recycle_workers() -> None:
    """Recycle workers as the policies say, one of a service at a time; cheap while all are off."""
    _alone("recycle_workers", _JUDGING_TTL_S, recycling.check)


@shared_task(name="memwatch.send_notifications", base=ExpiringTask, ignore_result=True)
def send_notifications() -> None:
    """Deliver what waits in the outbox; cheap when nothing does."""
    _alone("send_notifications", _SENDING_TTL_S + get_settings().channel_timeout, notifications.send)


@shared_task(name="memwatch.end_stale_processes", base=ExpiringTask, ignore_result=True)
def end_stale_processes() -> None:
    """End the processes whose lease ran out, and give up on commands that were not answered."""
    _alone("end_stale_processes", _INGEST_TTL_S, processes.end_stale)
    _alone("expire_commands", _INGEST_TTL_S, commands.expire)


@shared_task(name="memwatch.prune", base=ExpiringTask, ignore_result=True)
def prune() -> None:
    """Roll up and remove what is older than its retention."""
    _alone("prune", _PRUNE_TTL_S, retention.prune)


def _is_leaving() -> bool:
    return bool(_leaving[0])


def _alone(name: str, ttl_s: float, service: Callable[..., Any], **arguments: Any) -> None:
    """Run the service unless another worker does. A failure is logged in one line and shown by Celery."""
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
