"""Starts the agent where Django and Celery start processes, and counts what they do."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_started

from memwatch import agent, job_hooks
from memwatch.agent import work_counters
from memwatch.agent.config import AgentConfig
from memwatch.agent.lifecycle import EXIT_WAIT_S, START_DELAY_S
from memwatch.agent.watch_policy import occasion
from memwatch.conf import SettingError, get_settings
from memwatch.host_hooks import ends, server_settings
from memwatch.host_hooks.reading import read
from memwatch.sampling.identity import own_arguments
from memwatch.sampling.isolation import ISOLATED
from memwatch.sampling.type_names import module_and_qualname
from memwatch.transport import redacted

logger = logging.getLogger("memwatch.agent")

_config: AgentConfig | None = None
"""Set where this process, and those forked from it, are to be watched."""


def install() -> None:
    """Watch this process if it is one to watch. Called by the application's ``ready()``.

    Raises :class:`ImproperlyConfigured` for settings that are wrong, except in management commands: there the system
    checks say the same, and can be left out. Anything else that goes wrong is logged and the process runs on unwatched.
    """
    if ISOLATED:
        return
    arguments = own_arguments()
    chosen = occasion(arguments, environ=os.environ, modules=_modules())
    if chosen is None:
        return
    try:
        settings = get_settings()
        if settings.agent:
            _install(settings.agent_config(), delay_s=chosen.delay_s, serves_requests=chosen.serves_requests)
    except ImproperlyConfigured as wrong:
        if not arguments[0].endswith(("manage.py", "django-admin", "django/__main__.py")):
            raise
        logger.warning("memwatch: %s. This process is not watched", wrong)
    except Exception:
        logger.exception("memwatch: the agent cannot be started; this process is not watched")


def _modules() -> Mapping[str, object]:
    return sys.modules


def _install(config: AgentConfig, *, delay_s: float, serves_requests: bool) -> None:
    global _config  # noqa: PLW0603 - one per process, inherited by its children
    try:
        agent.start(config, delay_s=delay_s)
    except ValueError as wrong:
        raise SettingError(f'MEMWATCH["TRANSPORT"] is {redacted(config.transport)}: {wrong}') from None
    _config = config
    if config.work:
        job_hooks.install(recorded=config.flight_recorder)
    ends.install()
    server_settings.guarded(server_settings.note_application_loaded)
    if serves_requests:
        work_counters.expect_requests()
    request_started.connect(_on_request, dispatch_uid="memwatch.autostart")
    if "celery" in sys.modules:
        _connect_celery()


def _connect_celery() -> None:
    from celery import signals  # noqa: PLC0415 - only where the host has loaded it

    # Strong references: nothing else holds these functions' connections.
    for signal, receiver in (
        (signals.worker_ready, _on_worker_ready),
        (signals.worker_process_init, _on_pool_child),
        (signals.worker_process_shutdown, _on_pool_child_end),
        (signals.worker_shutdown, ends.worker_ends),
        (signals.beat_embedded_init, _on_embedded_beat),
        (signals.task_postrun, _on_task),
        (signals.task_prerun, job_hooks.begin_task),
        (signals.task_postrun, job_hooks.end_task),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"memwatch.autostart.{receiver.__name__}")


def ensure() -> None:
    """Start the agent where a process began in a way that no earlier hook saw. Cheap when it runs."""
    if _config is not None and agent.current() is None:
        try:
            agent.start(_config, delay_s=START_DELAY_S)
        except Exception:
            logger.exception("memwatch: the agent cannot be started; this process is not watched")


def _on_request(**_kwargs: Any) -> None:
    work_counters.count_request()
    ensure()


def _on_task(**_kwargs: Any) -> None:
    work_counters.count_task()


def _on_worker_ready(sender: Any = None, **_kwargs: Any) -> None:
    """A pool of threads, greenlets or none executes tasks in this process; a prefork pool in its children."""
    ends.install()
    server_settings.guarded(server_settings.note_celery_worker, sender)
    pool = read(sender, "pool")
    if pool is not None and not module_and_qualname(type(pool))[0].endswith(".prefork"):
        work_counters.expect_tasks()


def _on_pool_child(**_kwargs: Any) -> None:
    work_counters.expect_tasks()
    server_settings.guarded(server_settings.note_pool_child)
    ensure()


def _on_pool_child_end(exitcode: Any = None, **_kwargs: Any) -> None:
    ends.pool_child_ends(exitcode)
    agent.stop(EXIT_WAIT_S)


def _on_embedded_beat(**_kwargs: Any) -> None:
    ensure()
