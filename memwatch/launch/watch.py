"""Starts the agent with what the environment says. Imported when the program has run for a second."""

from __future__ import annotations

import logging
import os
import sys

from memwatch.agent import lifecycle
from memwatch.agent.config import AgentConfig
from memwatch.agent.config.environment import agent_config, is_on
from memwatch.agent.work import meter
from memwatch.launch import imports, messages
from memwatch.transport import open_uplink


class _OneLine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages.say(record.getMessage().removeprefix("memwatch: "))


def prepare() -> AgentConfig | None:
    """The configuration, with the modules of its transport loaded; ``None`` where the process is not to be watched.

    Raises :class:`ValueError` for a variable that is wrong, :class:`TransportUnavailable` without the client library.
    """
    if not is_on(os.environ):
        return None
    config = agent_config(os.environ)
    open_uplink(config.transport, "").close()
    return config


def watch(config: AgentConfig | None) -> None:
    """Watch this process."""
    if config is None or _is_watched_by_site():
        return
    _speak_for_ourselves()
    if config.work:
        meter.begin_process(recorded=config.flight_recorder)
    lifecycle.start(config, delay_s=0.0)
    imports.activate()


def _is_watched_by_site() -> bool:
    """Whether memwatch is one of the applications of a site in this process: its settings then count."""
    autostart = sys.modules.get("memwatch.autostart")
    return getattr(autostart, "_config", None) is not None


def _speak_for_ourselves() -> None:
    """A handler of the program's could write to its standard output."""
    logger = logging.getLogger("memwatch")
    if not logger.handlers:
        logger.addHandler(_OneLine(logging.WARNING))
        logger.propagate = False
