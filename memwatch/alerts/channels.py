"""Channels: who gets alerts. An item of ``ALERT_CHANNELS`` becomes an object with one verb, ``send``.

- ``mailto:ops@example.org``: an e-mail, by the site's Django settings; several messages at once become one;
- ``https://example.org/hook``: a signed POST, see :mod:`memwatch.alerts.webhook`;
- a callable or its dotted path: called with the message (:mod:`memwatch.alerts.messages`), awaited where it is a
  coroutine function.

``send`` raises where a message did not arrive; :mod:`memwatch.alerts.delivery` sees to time limits and threads.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from django.core.mail import EmailMessage, get_connection
from django.utils.module_loading import import_string

from memwatch.alerts import messages, webhook
from memwatch.conf import Settings, addresses

logger = logging.getLogger("memwatch.alerts")

Message = Mapping[str, Any]

MAILED_AT_ONCE = 20


class Channel(Protocol):
    """Where messages go."""

    @property
    def name(self) -> str:
        """For rows, pages and logs: without secrets, the same in every process."""

    @property
    def at_once(self) -> int:
        """How many messages ``send`` takes."""

    def send(self, told: Sequence[Message], *, timeout_s: float) -> None:
        """Deliver them, or raise. The text of what is raised is shown to operators."""


@dataclasses.dataclass(frozen=True)
class Mail:
    """To one address, from ``DEFAULT_FROM_EMAIL``, through the site's ``EMAIL_BACKEND``."""

    address: str
    at_once = MAILED_AT_ONCE

    @property
    def name(self) -> str:
        return f"mailto:{self.address}"

    def send(self, told: Sequence[Message], *, timeout_s: float) -> None:
        subject, text = messages.digest(told)
        mail = EmailMessage(subject, text, to=[self.address], connection=get_connection(timeout=timeout_s))
        mail.extra_headers["Auto-Submitted"] = "auto-generated"
        mail.extra_headers["Message-ID"] = f"<{told[0]['id']}@memwatch>"
        mail.send()


@dataclasses.dataclass(frozen=True)
class Webhook:
    """To one URL."""

    url: str
    secret: str = dataclasses.field(repr=False)
    at_once = 1

    @property
    def name(self) -> str:
        return webhook.name_of(self.url)

    def send(self, told: Sequence[Message], *, timeout_s: float) -> None:
        for message in told:
            webhook.post(self.url, message, secret=self.secret, timeout_s=timeout_s)


@dataclasses.dataclass(frozen=True)
class Callback:
    """To a callable of the site; imported when it is first needed."""

    target: str | Callable[[dict[str, Any]], Any]
    at_once = 1

    @property
    def name(self) -> str:
        if isinstance(self.target, str):
            return self.target
        named = getattr(self.target, "__qualname__", type(self.target).__qualname__)
        return f"{getattr(self.target, '__module__', '?')}.{named}"[:300]

    def send(self, told: Sequence[Message], *, timeout_s: float) -> None:
        target = import_string(self.target) if isinstance(self.target, str) else self.target
        for message in told:
            result = target(dict(message))
            if inspect.isawaitable(result):
                asyncio.run(_within(result, timeout_s))


async def _within(result: Any, timeout_s: float) -> None:
    await asyncio.wait_for(result, timeout_s)


def configured(settings: Settings) -> dict[str, Channel]:
    """The channels of the settings by name; one that is listed twice is one."""
    found: dict[str, Channel] = {}
    for item in dict.fromkeys(settings.alert_channels):
        channel = _channel(item, settings)
        name, number = channel.name, 1
        while "<" in channel.name and name in found:  # lambdas and inner functions have no name of their own
            number += 1
            name = f"{channel.name} #{number}"
        found.setdefault(name, channel)
    return found


def _channel(item: Any, settings: Settings) -> Channel:
    if isinstance(item, str) and item.startswith("mailto:"):
        return Mail(item.removeprefix("mailto:"))
    if addresses.is_webhook(item):
        return Webhook(item, settings.webhook_secret)
    return Callback(item)


def log(message: dict[str, Any]) -> None:
    """Write the alert to the logger ``memwatch.alerts``: a raised one at WARNING, what is over at INFO.

    Never at ERROR, whatever its severity: in the log of a site that level says that memwatch itself has failed.
    """
    level = logging.WARNING if message["state"] == "raised" and message["severity"] != "low" else logging.INFO
    said = message.get("summary") or message["message"]
    logger.log(level, "%s %s (%s): %s", message["type"], message["event"], message["severity"], said)
