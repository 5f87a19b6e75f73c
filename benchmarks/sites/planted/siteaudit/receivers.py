"""A line of the log for each request, as a receiver of Django's signal."""

import time
from typing import Any

from django.core.signals import request_started
from django.dispatch import receiver

from siteaudit.switch import chosen

SEEN: list[str] = []


@receiver(request_started)
def remember(environ: Any = None, **_kwargs: Any) -> None:
    """Of the request: when, from where, what."""
    if environ is not None and chosen() == "receiver":
        head = " ".join(f"{name}={value}" for name, value in environ.items() if isinstance(value, str))
        SEEN.append(f"{time.time_ns()} {head}")  # leak: receiver
