"""Starts the agent with what the environment says. Imported when the program has run for a second."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from memwatch.agent import lifecycle
from memwatch.agent.config import AgentConfig
from memwatch.agent.config.environment import agent_config, is_on
from memwatch.agent.work import meter
from memwatch.host_hooks import requests, server_settings, tasks  # noqa: F401 - light modules look for these
from memwatch.launch import imports, messages
from memwatch.transport import open_uplink


class _OneLine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages.say(record.getMessage().removeprefix("memwatch: "))


def prepare(environ: Mapping[str, str]) -> AgentConfig | None:
    """The configuration, with the modules of its transport loaded; ``None`` where the process is not to be watched.

    Raises :class:`ValueError` for a variable that is wrong, :class:`TransportUnavailable` without the client library.
    """
    if not is_on(environ):
        return None
    config = agent_config(environ)
    open_uplink(config.transport, "").close()
    return config


def watch(config: AgentConfig | None) -> None:
    """Watch this process."""
    if config is None or lifecycle.current() is not None:  # of a site in this process that has installed memwatch
        return
    _speak_for_ourselves()
    lifecycle.start(config, waited=True)
    server_settings.guarded(server_settings.note_application_loaded)
    imports.activate()
    if config.work:  # last: a server's hook counts from now on, and the framework's is there to name what it counts
        meter.begin_process(recorded=config.flight_recorder, traces=config.traces)


def _speak_for_ourselves() -> None:
    """A handler of the program's could write to its standard output."""
    logger = logging.getLogger("memwatch")
    if not logger.handlers:
        logger.addHandler(_OneLine(logging.WARNING))
        logger.propagate = False
