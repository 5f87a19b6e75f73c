"""Counts what a Django site does that has not installed memwatch."""

from __future__ import annotations

import sys

_NEEDED = ("django.conf", "django.core.exceptions", "django.core.signals")
"""Of Django, by what is imported below: the agent's thread must not be the first to import it."""


def install() -> None:
    """Wrap what is loaded of Django, once."""
    if all(name in sys.modules for name in _NEEDED):
        from memwatch import autostart  # noqa: PLC0415
        from memwatch.host_hooks import jobs  # noqa: PLC0415

        jobs.wrap()
        autostart.connect()
