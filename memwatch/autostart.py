"""Starts the agent where Django and Celery start processes, and counts what they do."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_started

from memwatch import agent
from memwatch.agent import work_counters
from memwatch.agent.config import AgentConfig
from memwatch.agent.lifecycle import ensure
from memwatch.agent.watch_policy import occasion
from memwatch.conf import SettingError, get_settings
from memwatch.host_hooks import celery_worker, ends, jobs, requests, server_settings
from memwatch.sampling.identity import own_arguments
from memwatch.sampling.isolation import ISOLATED
from memwatch.transport import redacted

logger = logging.getLogger("memwatch.agent")


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
    try:
        agent.start(config, delay_s=delay_s)
    except ValueError as wrong:
        raise SettingError(f'MEMWATCH["TRANSPORT"] is {redacted(config.transport)}: {wrong}') from None
    if config.work:
        jobs.install(recorded=config.flight_recorder, traces=config.traces)
    ends.install()
    server_settings.guarded(server_settings.note_application_loaded)
    if serves_requests:
        work_counters.expect_requests()
    connect()


def connect() -> None:
    """Count the requests of Django and the tasks of Celery. Nothing happens the second time."""
    request_started.connect(_on_request, dispatch_uid="memwatch.autostart")
    if "celery.signals" in sys.modules:
        celery_worker.install()


def _on_request(**_kwargs: Any) -> None:
    if not requests.seen():
        work_counters.count_request()
    ensure()
