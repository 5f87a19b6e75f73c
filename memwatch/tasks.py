"""beat's tasks: the steps of the timetable, as Celery runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Task, shared_task
from celery.signals import celeryd_after_setup, worker_shutting_down

from memwatch.agent import own
from memwatch.conf import get_settings
from memwatch.schedule import beat_schedule
from memwatch.services import commands
from memwatch.timetable import steps

_DELIVERY_S = 30.0
"""A command that was not sent by then is of no use."""


class ExpiringTask(Task):  # type: ignore[type-arg]  # not one at runtime
    """Its messages expire whatever sends them: django-celery-beat drops the timetable's own ``expires``."""

    @property
    def expires(self) -> float:  # type: ignore[override]  # read when a message is sent
        """Seconds: by its next turn."""
        entry = beat_schedule().get(str(self.name))
        return float(entry["options"]["expires"]) if entry else _DELIVERY_S


@worker_shutting_down.connect
def _leave(**_kwargs: Any) -> None:
    steps.leave()


@celeryd_after_setup.connect
def _declare(instance: Any, **_kwargs: Any) -> None:
    """A worker that serves memwatch's queue is one of memwatch's own, and so are the children of its pool."""
    if get_settings().task_queue in instance.app.amqp.queues.consume_from:
        own.declare()
        steps.warm_up()


def _task(function: Callable[..., None]) -> Any:
    return shared_task(name=f"memwatch.{function.__name__}", base=ExpiringTask, ignore_result=True)(function)


take_snapshots = _task(steps.take_snapshots)
ingest_reports = _task(steps.ingest_reports)
detect_leaks = _task(steps.detect_leaks)
check_alerts = _task(steps.check_alerts)
find_anomalies = _task(steps.find_anomalies)
recycle_workers = _task(steps.recycle_workers)
analyse_heap_dumps = _task(steps.analyse_heap_dumps)
send_notifications = _task(steps.send_notifications)
end_stale_processes = _task(steps.end_stale_processes)
prune = _task(steps.prune)


@_task
def deliver_commands(payloads: dict[str, str], wait_s: float = 0.0) -> None:
    """Send commands for a process that has no right to: ``HUB_TRANSPORT`` is ``worker`` there."""
    commands.deliver(payloads, wait_s=wait_s)
