"""What the value of a setting of the server may be; those of the agent are in :mod:`memwatch.agent.config.values`.

All raise :class:`ValueError` with the remedy as the text.
"""

from __future__ import annotations

from typing import Any

from memwatch.agent.config.values import between, flag, name, text, transport, whole

__all__ = ["HUB_BY_WORKER", "between", "flag", "hub_transport", "name", "namespace", "page", "text", "whole"]

HUB_BY_WORKER = "worker"
"""For ``HUB_TRANSPORT``: this process has no hub of its own."""


def hub_transport(value: Any) -> str:
    if value in ("", HUB_BY_WORKER):
        return str(value)
    try:
        return transport(value)
    except ValueError as error:
        raise ValueError(f'{error}, or "worker"') from None


def page(value: Any) -> str:
    if isinstance(value, str) and (not value or value.startswith(("https://", "http://", "/"))):
        return value
    raise ValueError('give the address of a folder, e.g. "https://wiki.example.org/runbooks/"')


def namespace(value: Any) -> str:
    if isinstance(value, str) and value.isidentifier() and value.isascii():
        return value
    raise ValueError('give a Prometheus name prefix, e.g. "fogcompute"')
