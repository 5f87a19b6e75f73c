"""Celery's signals: where its processes begin and end, and which task runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from memwatch import agent
from memwatch.agent import work_counters
from memwatch.agent.lifecycle import EXIT_WAIT_S, ensure
from memwatch.agent.work import meter, spans
from memwatch.agent.work.job import cleaned, current
from memwatch.host_hooks import ends, server_settings, task_limits
from memwatch.host_hooks.reading import read
from memwatch.records.work import TASK
from memwatch.sampling.type_names import module_and_qualname


def install() -> None:
    """Connect, once, where the program has loaded Celery."""
    signals = sys.modules["celery.signals"]
    # Strong references: nothing else holds these functions' connections.
    receivers: tuple[tuple[str, Callable[..., None]], ...] = (
        ("worker_ready", worker_ready),
        ("worker_process_init", _on_pool_child),
        ("worker_process_shutdown", _on_pool_child_end),
        ("worker_shutdown", ends.worker_ends),
        ("beat_embedded_init", _on_embedded_beat),
        ("task_postrun", _on_task),
        ("task_prerun", begin_task),
        ("task_postrun", end_task),
    )
    for name, receiver in receivers:
        getattr(signals, name).connect(receiver, weak=False, dispatch_uid=f"memwatch.autostart.{receiver.__name__}")


def worker_ready(sender: Any = None, **_kwargs: Any) -> None:
    """A pool of threads, greenlets or none executes tasks in this process; a prefork pool in its children."""
    ends.install()
    _link_spans()
    server_settings.guarded(server_settings.note_celery_worker, sender)
    pool = read(sender, "pool")
    if pool is not None and not module_and_qualname(type(pool))[0].endswith(".prefork"):
        work_counters.expect_tasks()


def begin_task(task_id: Any = None, task: Any = None, **_kwargs: Any) -> None:
    """For ``task_prerun``."""
    request = read(task, "request")
    outermost = read(request, "is_eager") is False  # a worker runs no task within another one
    limit_s = task_limits.hard_limit_s(task, request)
    meter.begin(TASK, read(task, "name"), mark=task_id, outermost=outermost, limit_s=limit_s)


def end_task(task_id: Any = None, state: Any = None, **_kwargs: Any) -> None:
    """For ``task_postrun``. There is no state where the exception goes on to who called the task."""
    job = current(TASK, task_id)
    if job is not None:
        job.error, job.cut_off = state is None or cleaned(state) == "FAILURE", state is None
        job.end()


def _tell_span(**_kwargs: Any) -> None:
    """The task is done, and its span ends with ``task_postrun``."""
    spans.tell(TASK)


def _link_spans() -> None:
    """Where spans get the figures of their tasks: after the task, and before OpenTelemetry ends its span."""
    if spans.wanted():
        signals = sys.modules["celery.signals"]
        for name in ("task_success", "task_failure"):
            getattr(signals, name).connect(_tell_span, weak=False, dispatch_uid="memwatch.autostart.spans")


def _on_task(**_kwargs: Any) -> None:
    work_counters.count_task()


def _on_pool_child(**_kwargs: Any) -> None:
    work_counters.expect_tasks()
    _link_spans()
    server_settings.guarded(server_settings.note_pool_child)
    ensure()


def _on_pool_child_end(exitcode: Any = None, **_kwargs: Any) -> None:
    ends.pool_child_ends(exitcode)
    agent.stop(EXIT_WAIT_S)


def _on_embedded_beat(**_kwargs: Any) -> None:
    ensure()
