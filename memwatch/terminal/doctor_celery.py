"""What runs the timetable: Celery with its broker, beat and worker, or ``memwatch_work``; and whether the tasks run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from memwatch import formatting
from memwatch.conf import HUB_BY_WORKER, get_settings
from memwatch.queries.deployment.site import last_runs, stored_beat_tasks, timetable_runs
from memwatch.queries.processes.lookup import first_seen
from memwatch.schedule import beat_schedule
from memwatch.terminal.finding import Finding
from memwatch.transport import redacted

try:
    import celery
except ModuleNotFoundError:
    celery = None  # type: ignore[assignment]

BROKER_S = 3
WORKERS_S = 3.0
"""Brokers that are polled take a second to be answered through."""
LATE = 3
"""Intervals after which a task that has not finished is missing."""
LATE_S = 30.0
WORK = "manage.py memwatch_work"


def broker() -> Iterator[Finding]:
    """Whether the site's broker answers, where Celery runs the timetable."""
    where = _without_celery()
    if where:
        yield Finding(True, f"memwatch_work runs the timetable on {where}, without Celery")
        if get_settings().hub_transport == HUB_BY_WORKER:
            remedy = "Give the web process a HUB_TRANSPORT that may send commands, or start a Celery worker."
            yield Finding(False, "HUB_TRANSPORT is worker: without Celery no page can send a command", remedy)
        return
    if celery is None:
        text = "nothing runs memwatch's timetable: no report is stored, and no leak is found"
        yield Finding(False, text, f"Start {WORK}, which needs no Celery.")
        return
    if not _is_loaded():
        remedy = "Create celery.py and import its application in the project's __init__.py (docs/how-to/install.md)"
        remedy += f", or start {WORK}."
        yield Finding(
            False, "the site's settings load no Celery application: the doctor cannot find broker and workers", remedy
        )
        return
    app = celery.current_app
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_S)
            url = redacted(connection.as_uri(include_password=False).replace("guest:**@", ""))
    except ImportError as error:
        remedy = 'Install it, e.g. pip install "memwatch[redis]" for redis://.'
        yield Finding(False, f"the client library of the broker is not installed: {error}", remedy)
        return
    except Exception as error:  # noqa: BLE001 - every transport of kombu has errors of its own
        yield Finding(False, f"the broker does not answer: {type(error).__name__}: {error}", "See CELERY_BROKER_URL.")
        return
    yield Finding(True, f"broker {url} answers")


def _without_celery() -> str:
    """Where ``memwatch_work`` runs; empty where it does not."""
    try:
        return timetable_runs()
    except DatabaseError:
        return ""  # the database's own line says what is wrong with it


def _is_loaded() -> bool:
    """Whether the site's own application is there, not the one that Celery makes up where there is none."""
    return bool(celery.current_app.main != "default")


def timetable() -> Iterator[Finding]:
    """Whether beat knows memwatch's tasks."""
    if celery is None or not _is_loaded() or _without_celery():
        return
    wanted = {entry["task"] for entry in beat_schedule().values()}
    known = {entry.get("task") for entry in (celery.current_app.conf.beat_schedule or {}).values()}
    known |= set(stored_beat_tasks())
    missing = wanted - known
    if missing:
        remedy = "CELERY_BEAT_SCHEDULE = {**beat_schedule(MEMWATCH)}, from memwatch.schedule."
        yield Finding(False, f"beat's schedule has no {', '.join(sorted(missing))}", remedy)
    else:
        yield Finding(True, f"beat's timetable has memwatch's {len(wanted)} tasks")


def queue() -> Iterator[Finding]:
    """Whether a worker serves memwatch's queue."""
    if celery is None or not _is_loaded() or _without_celery():
        return
    name = get_settings().task_queue
    answers: dict[str, Any] | None = None
    with contextlib.suppress(Exception):  # the broker's own line says what is wrong with it
        answers = celery.current_app.control.inspect(timeout=WORKERS_S).active_queues()
    remedy = f"Start one: celery -A yoursite worker -Q celery,{name}"
    if not answers:
        yield Finding(False, "no Celery worker answers", remedy)
        return
    serving = [worker for worker, queues in answers.items() if any(item.get("name") == name for item in queues or ())]
    if serving:
        yield Finding(True, f"the queue {name!r} is served by {', '.join(sorted(serving)[:3])}")
    else:
        text = f"no worker serves the queue {name!r}; these answer and serve others: {', '.join(sorted(answers)[:3])}"
        yield Finding(False, text, remedy)


def ticks() -> Iterator[Finding]:
    """Whether the tasks run on schedule."""
    finished = last_runs()
    now = timezone.now()
    since = first_seen() or now
    late = []
    for entry in beat_schedule().values():
        name = entry["task"].removeprefix("memwatch.")
        patience = timedelta(seconds=LATE * entry["schedule"] + LATE_S)
        last = finished.get(name)
        if now - (last or since) > patience:
            late.append(f"{name} ({'never' if last is None else formatting.age(last, now)})")
    if late:
        remedy = f"Check that beat runs (celery -A yoursite beat), or {WORK}."
        yield Finding(False, f"overdue tasks: {', '.join(late)}", remedy)
    elif not finished:
        yield Finding(None, "no task of memwatch has run yet", f"Start beat (celery -A yoursite beat), or {WORK}.")
    else:
        newest = max(finished.values())
        yield Finding(True, f"memwatch's tasks run on time, the last {formatting.age(newest, now)}")
