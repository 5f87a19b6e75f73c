"""Channels: callables that take an alert's dict. A channel that fails is logged and does not stop the others.

An alert's dict has the keys ``type``, ``severity``, ``message``, ``timestamp`` (ISO 8601), ``value``, ``threshold``,
``state`` (``raised`` or ``cleared``), ``service``, ``host`` and ``slot`` (the last two ``None`` where several
processes are concerned).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.utils.module_loading import import_string

logger = logging.getLogger("memwatch.alerts")


def log(alert: dict[str, Any]) -> None:
    """Write the alert to the logger ``memwatch.alerts``: a raised one at WARNING, what is over at INFO.

    Never at ERROR, whatever its severity: in the log of a site that level says that memwatch itself has failed.
    """
    level = logging.WARNING if alert["state"] == "raised" and alert["severity"] != "low" else logging.INFO
    logger.log(level, "%s %s (%s): %s", alert["type"], alert["state"], alert["severity"], alert["message"])


def deliver(alerts: Sequence[dict[str, Any]], channels: Sequence[Any]) -> None:
    """Give each alert to each channel: a dotted path or a callable, a function or a coroutine function."""
    for channel in channels:
        try:
            target = import_string(channel) if isinstance(channel, str) else channel
        except Exception:
            logger.exception("alert channel %r cannot be imported: check ALERT_CHANNELS", channel)
            continue
        for alert in alerts:
            _call(target, dict(alert))


def _call(target: Callable[[dict[str, Any]], Any], alert: dict[str, Any]) -> None:
    try:
        result = target(alert)
        if inspect.isawaitable(result):
            _finish(result)
    except Exception:
        logger.exception("alert channel %r failed for %s: %s", target, alert["type"], alert["message"])


def _finish(result: Awaitable[Any]) -> None:
    """Run a coroutine to its end, in a thread of its own where this one already runs an event loop."""

    async def wait() -> None:
        await result

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(wait())
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(asyncio.run, wait()).result()


__all__ = ["deliver", "log"]
